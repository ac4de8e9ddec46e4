"""The SQL models as assets: one for each table and view, and every SQL check as an asset check.

`day_statistics` and its sisters build, check and publish by themselves. Materialising a model does the same once more,
on demand, and tells what is there: rows, columns, where each column comes from, a look at the rows, the checks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from hem_etl.errors import StructuralCheckError
from hem_etl.facts import Preview, failing_rows, read_previews
from hem_etl.orchestration.assets import (
    DAY_STATISTICS,
    HEM_SYSTEMS,
    LATE_DATA,
    MONTH_STATISTICS,
)
from hem_etl.orchestration.resources import Roads
from hem_etl.orchestration.sql_checks import checked_key, evaluate, model_key
from hem_etl.orchestration.tables import markdown
from hem_etl.vocabulary import Severity
from hem_etl.warehouse import Check, CheckResult, Model, Models, packaged_models
from hem_etl.warehouse.models.lineage import column_sources

WRITTEN_BY: Final[Mapping[str, Sequence[dg.AssetKey]]] = {
    "core.system": [HEM_SYSTEMS],
    "core.system_history": [HEM_SYSTEMS],
    "core.asset": [HEM_SYSTEMS],
    "core.location": [HEM_SYSTEMS],
    "core.reported_day": [MONTH_STATISTICS, LATE_DATA],
    "core.load": [DAY_STATISTICS, MONTH_STATISTICS, LATE_DATA],
    "core.local_day": [],
    "core.setting": [],
    "core.check_result": [],
    "core.loaded_segment": [],
    "core.change": [],
}
"""Which asset writes a table's rows; days write the others."""
STANDING: Final = {
    Severity.ERROR: "Structural: only a bug of hem_etl can fail it, and nothing is published then.",
    Severity.WARNING: "Plausibility: worth a look; data are published all the same.",
}


def every_model_key() -> list[dg.AssetKey]:
    """The keys of all models."""
    return [model_key(model.relation) for model in (*packaged_models().tables, *packaged_models().views)]


def every_check_key() -> list[dg.AssetCheckKey]:
    """The keys of all SQL checks."""
    models = packaged_models()
    return [dg.AssetCheckKey(checked_key(check, models), check.name) for check in models.checks]


def model_assets(models: Models) -> dg.AssetsDefinition:
    """All models as one subsettable multi-asset. Whatever is selected, one build makes them all and publishes."""
    every = [*models.tables, *models.views]

    @dg.multi_asset(
        name="sql_models",
        specs=[_spec(model) for model in every],
        check_specs=[check_spec(check, checked_key(check, models), STANDING) for check in models.checks],
        can_subset=True,
    )
    def build_sql_models(
        context: dg.AssetExecutionContext, roads: dg.ResourceParam[Roads]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        with roads.open(context.log) as road:
            try:
                results = road.publish()
            except StructuralCheckError as error:
                yield from _failures(error, models, wanted)
                raise
        selected = {model.relation for model in every if model_key(model.relation) in context.selected_asset_keys}
        for preview in read_previews(road.warehouse, selected):
            yield dg.MaterializeResult(asset_key=model_key(preview.model.relation), metadata=_figures(preview, models))
        results = [result for result in results if result.name in wanted]
        rows = failing_rows(road.warehouse, results)
        for result in results:
            yield evaluate(result, checked_key(models.check(result.name), models), rows.get(result.name))

    return build_sql_models


def _spec(model: Model) -> dg.AssetSpec:
    reads = (
        WRITTEN_BY.get(model.relation, [DAY_STATISTICS, LATE_DATA])
        if model.schema == "core"
        else [model_key(name) for name in model.references]
    )
    return dg.AssetSpec(
        model_key(model.relation),
        deps=reads,
        group_name=model.schema,
        kinds={"duckdb", "sql", "table" if model.is_table else "view"},
        skippable=True,
        description=f"{escaped(model.meaning)} Figures here are of its last materialisation; hem.duckdb may be newer.",
        metadata=described(model),
    )


def described(model: Model) -> dict[str, Any]:
    """What a model's header and file say of it."""
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(c.name, c.type, description=c.comment) for c in model.columns]
        ),
        "dagster/relation_identifier": model.relation,
        "grain": model.grain,
        "key": ", ".join(model.key) or "none",
        "null": model.null,
        "file": model.file,
        "sql": dg.MetadataValue.md(_sql(model.sql)),
    }


def escaped(text: str) -> str:
    """A header's text in Markdown: `<flow>` is no tag, and `*` no emphasis. Lists show the text as it is."""
    return text.replace("<", "\\<").replace("*", "\\*")


def _sql(text: str) -> str:
    return f"```sql\n{text}\n```"


def check_spec(check: Check, asset: dg.AssetKey, standing: Mapping[Severity, str]) -> dg.AssetCheckSpec:
    """A check at an asset. `standing`: what comes of rows that it finds."""
    return dg.AssetCheckSpec(
        check.name,
        asset=asset,
        description=(
            f"Has to hold: {escaped(check.meaning)} {standing[check.severity]} "
            f"A failing row: {escaped(check.failing_row)}\n\n{_sql(check.sql)}"
        ),
        metadata={"severity": check.severity.value},
    )


def _failures(error: StructuralCheckError, models: Models, wanted: set[str]) -> Iterator[dg.AssetCheckResult]:
    """The checks that stopped the publishing; the published file cannot show their rows, the error can."""
    for name, rows, sample in error.failures:
        if name in wanted:
            result = CheckResult(name, Severity.ERROR, rows, sample)
            yield evaluate(result, checked_key(models.check(name), models), None)


def _figures(preview: Preview, models: Models) -> dict[str, Any]:
    model = preview.model
    more = len(model.columns) - len(preview.names)
    figures: dict[str, Any] = {
        "dagster/row_count": preview.row_count,
        "preview": markdown(preview.names, preview.rows),
        "columns": f"{len(model.columns)}" + (f", the first {len(preview.names)} in the preview" if more else ""),
    }
    if sources := column_lineage(models, model.relation):
        figures["dagster/column_lineage"] = sources
    return figures


def column_lineage(models: Models, relation: str) -> dg.TableColumnLineage | None:
    """Which columns each column is made from, one asset back; None for a table, whose rows come from outside."""
    sources = column_sources(models, relation)
    if not sources:
        return None
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(model_key(read), name) for read, name in columns]
            for column, columns in sources.items()
        }
    )
