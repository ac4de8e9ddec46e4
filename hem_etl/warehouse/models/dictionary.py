"""Writes docs/data_dictionary.md and docs/lineage.md from the headers and the SQL of the models: `make docs`.

Nothing here is said twice: a wrong sentence on those pages is mended in the header that it comes from.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from hem_etl.vocabulary import Severity
from hem_etl.warehouse.models.header import Column
from hem_etl.warehouse.models.lineage import table_sources
from hem_etl.warehouse.models.model import Check, Model, Models
from hem_etl.warehouse.models.reading import load_models

MADE_BY = "Made from the headers of `dbt_like_sql/` by `make docs`: do not edit.\n"
GROUPS = {
    "marts": "Marts: what to query",
    "core": "Core: what was loaded",
    "staging": "Staging: steps between core and marts",
}
STANDING = {
    Severity.ERROR: "structural: only a bug of hem_etl can fail it, and nothing is published then",
    Severity.WARNING: "plausibility: worth a look; data are published all the same",
}


def pages(models: Models) -> dict[str, str]:
    """File name → text of each page."""
    return {
        "data_dictionary.md": "\n".join(_dictionary(models)) + "\n",
        "lineage.md": "\n".join(_lineage(models)) + "\n",
    }


def write_pages(folder: Path) -> None:
    """Replace the pages in `folder`."""
    for name, text in pages(load_models()).items():
        (folder / name).write_text(text, encoding="utf-8")


def _dictionary(models: Models) -> Iterator[str]:
    yield "# Data dictionary\n"
    yield MADE_BY
    yield "`*_utc` is an instant in UTC, `*_local` wall-clock time, `day` the system's local date, `month` a first day."
    yield "NULL is never 0. These texts stand in the warehouse too: `from core.dictionary`.\n"
    every = sorted((*models.tables, *models.built), key=lambda model: model.relation)
    for schema, title in GROUPS.items():
        yield f"**{title}**\n"
        yield from (
            f"- [{_called(model)}](#{_anchor(_called(model))}): {_text(model.meaning)}"
            for model in every
            if model.schema == schema
        )
        yield ""
    yield "**[Macros](#macros)** · **[Checks](#checks)**\n"
    for schema, title in GROUPS.items():
        yield f"## {title}\n"
        for model in every:
            if model.schema == schema:
                yield from _entry(model)
    yield from _macros(models)
    yield from _checks(models)


def _entry(model: Model) -> Iterator[str]:
    yield f"### {_called(model)}\n"
    yield f"{_text(model.meaning)}\n"
    yield f"- Grain: {_text(model.grain)}"
    yield f"- Key: {', '.join(f'`{name}`' for name in model.key) or 'none'}"
    yield f"- NULL: {_text(model.null)}"
    yield f"- Kind: {_kind(model)}, `{model.file}`\n"
    if model.parameters:
        yield from _table("parameter", model.parameters)
    yield from _table("column", model.columns)


def _table(title: str, columns: Iterable[Column]) -> Iterator[str]:
    yield f"| {title} | type | unit | meaning |\n|---|---|---|---|"
    for column in columns:
        unit = "" if column.unit == "-" else _text(column.unit)
        yield f"| `{column.name}` | {column.type} | {unit} | {_text(column.meaning)} |"
    yield ""


def _macros(models: Models) -> Iterator[str]:
    yield "## Macros\n"
    yield "A formula is said once: these stand in the file too, and models, checks and your queries call them.\n"
    yield "| macro | returns | unit | meaning | NULL | parameters | formula |\n|---|---|---|---|---|---|---|"
    for macro in sorted(models.macros, key=lambda macro: macro.name):
        parameters = ", ".join(f"{parameter.name}: {parameter.comment}" for parameter in macro.parameters) or "none"
        texts = (macro.type, "" if macro.unit == "-" else macro.unit, macro.meaning, macro.null, parameters)
        cells = [f"`{macro.signature}`", *map(_text, texts), f"`{' '.join(macro.sql.split())}`"]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _checks(models: Models) -> Iterator[str]:
    yield "## Checks\n"
    yield "A check is a query that must return no rows; each runs before every publishing."
    yield "Beside these, the key of each relation above is checked (structural, `<schema>_<relation>_key`).\n"
    names = {f"{model.schema}_{model.name}_key" for model in (*models.tables, *models.built)}
    written = [check for check in models.checks if check.name not in names]
    for severity, standing in STANDING.items():
        yield f"**{standing[0].upper()}{standing[1:]}**\n"
        yield "| check | has to hold | a failing row is |\n|---|---|---|"
        yield from (_check_line(check) for check in written if check.severity is severity)
        yield ""


def _check_line(check: Check) -> str:
    return f"| `{check.name}` | {_text(check.meaning)} | {_text(check.failing_row)} |"


def _lineage(models: Models) -> Iterator[str]:
    yield "# Where each number comes from\n"
    yield MADE_BY
    yield "Tables of `core` hold what was loaded; the rest is SQL. An arrow goes from what is read to what reads it.\n"
    yield "```mermaid\ngraph LR"
    for schema in ("core", "staging", "marts"):
        yield f"  subgraph {schema}"
        yield from (
            f'    {schema}_{model.name}["{_called(model)}"]' for model in _drawn(models) if model.schema == schema
        )
        yield "  end"
    for model in models.built:
        yield from (f"  {name.replace('.', '_')} --> {model.schema}_{model.name}" for name in model.references)
    yield "```\n"
    yield "Below, for each column of a mart, the columns of `core` that its value is made from, through all views."
    yield "Columns that only filter or join are left out; *rows* means that rows are counted.\n"
    for model in sorted(models.built, key=lambda model: model.relation):
        if model.schema == "marts":
            yield f"## {_called(model)}\n"
            yield f"Reads {_listed(model.references)}"
            yield f"and rests on {_listed([n for n in models.upstream(model.relation) if n.startswith('core.')])}.\n"
            yield "| column | made from |\n|---|---|"
            for column, sources in table_sources(models, model.relation).items():
                yield f"| `{column}` | {_grouped(sources)} |"
            yield ""


def _drawn(models: Models) -> list[Model]:
    """Everything that is read or reads; tables that no model reads would only stand about."""
    read = {name for model in models.built for name in model.references}
    return [*(table for table in models.tables if table.relation in read), *models.built]


def _grouped(sources: Iterable[tuple[str, str]]) -> str:
    grouped = groupby(sources, key=lambda source: source[0])
    cells = [f"`{relation}`: {', '.join(name for _, name in columns)}" for relation, columns in grouped]
    return "; ".join(cells) or "*rows*"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _called(model: Model) -> str:
    return model.relation + (f"({', '.join(p.name for p in model.parameters)})" if model.parameters else "")


def _kind(model: Model) -> str:
    if model.parameters:
        return "table macro"
    if model.schema == "core":
        return "table, kept narrower in the schema stored" if model.shows_stored else "table"
    return "table that every build makes anew" if model.is_table else "view"


def _anchor(title: str) -> str:
    """As GitHub makes it of a title."""
    return "".join(sign for sign in title.lower().replace(" ", "-") if sign.isalnum() or sign in "_-")


def _text(text: str) -> str:
    """A header's text in Markdown: `<flow>_kwh` is no tag, `soc_*` no emphasis, `|` no next cell."""
    return text.replace("<", "\\<").replace("*", "\\*").replace("|", "\\|")


if __name__ == "__main__":
    write_pages(Path("docs"))
