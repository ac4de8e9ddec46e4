"""Commands that look at what is published: status, gaps, explain, report, check, sql. They change nothing of it.

Each imports what it uses when it runs: see `app`.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hem_etl.cli.exporting import chosen_kind, print_csv, write_frame, writing
from hem_etl.cli.options import End, Json, Start, Systems, Vendors, first_and_last
from hem_etl.cli.output import as_json, objects, print_json, print_line, print_rows, print_table, say
from hem_etl.errors import ModelError
from hem_etl.vocabulary import Scope

if TYPE_CHECKING:
    import polars as pl

    from hem_etl.facts import Checked
    from hem_etl.warehouse import Warehouse

FEW_ROWS: Final = 100
"""As many as a person looks through."""


def status(
    system: Systems = None,
    vendor: Vendors = None,
    has_all: Annotated[bool, typer.Option("--all", help="Every home of a large fleet.")] = False,
    is_json: Json = False,
) -> None:
    """Per system: the newest complete day, how the last 30 days ended, what the rules found, what its user must do.

    Of more than 100 homes, those that somebody must act on, and how many the others are; --json has all.
    """
    from hem_etl import facts

    rows = facts.read_status(_warehouse(), system or (), vendor or ())
    if is_json or has_all or system or rows.height <= FEW_ROWS:
        print_rows(rows, is_json=is_json)
        return
    needing = facts.in_need(rows)
    if needing.height:
        print_table(needing.columns, needing.head(FEW_ROWS).rows(), total=needing.height)
    say(
        f"{needing.height} of {rows.height} homes need somebody: to link again, to look at a failure, or because "
        f"complete days end more than {facts.STALE_DAYS} days before the fleet's. {_the_others(rows, needing)}"
        "`hem-etl status --all` shows every home, `--system ID` one."
    )


def _the_others(rows: "pl.DataFrame", needing: "pl.DataFrame") -> str:
    """What the homes are that need nobody, with the day that tells whether runs go on at all."""
    quiet = rows.filter(~rows["system_id"].is_in(needing["system_id"].implode()))
    fine = quiet.filter(quiet["gone_at_utc"].is_null() & quiet["newest_complete_day"].is_not_null())
    counts = {
        "gone": quiet["gone_at_utc"].count(),
        "never asked": quiet.height - fine.height - quiet["gone_at_utc"].count(),
        f"complete until {max(fine['newest_complete_day'].to_list(), default=None)} or shortly before": fine.height,
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"The others: {told}. " if told else ""


def gaps(
    system: Systems = None,
    vendor: Vendors = None,
    metric: Annotated[list[str] | None, typer.Option(help="Only this flow, or soc; repeatable.")] = None,
    start: Start = None,
    end: End = None,
    rows: Annotated[bool, typer.Option("--rows", help="Each day and metric, and what the rules noticed.")] = False,
    is_json: Json = False,
) -> None:
    """What is missing, and why: first how much of it by reason, with --rows (or --json) each day and metric."""
    from hem_etl import facts

    first, last = first_and_last(start, end)
    found = facts.read_gaps(
        _warehouse(), systems=system or (), vendors=vendor or (), metrics=metric or (), start=first, end=last
    )
    if is_json or rows:
        print_rows(found.rows, is_json=is_json)
        return
    if found.rows.is_empty():
        say(f"Nothing is missing of what was asked for from {found.first} to {found.last}.")
        return
    print_rows(found.summary())
    days = f"from {found.first} to {found.last}"
    say(
        f"{found.rows.height} days and metrics in all {days}: `gaps --rows` shows each, `explain` where one comes from."
    )


def explain(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="Enode's id of the system, or how it begins.")],
    day: Annotated[datetime, typer.Argument(metavar="DAY", formats=["%Y-%m-%d"], help="Local day, e.g. 2026-03-29.")],
    metric: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="One flow, soc, or a column such as peak_import_kw.")
    ] = None,
    is_json: Json = False,
) -> None:
    """From a published number back to its formula, buckets, flags, versions and raw answers."""
    from hem_etl import facts
    from hem_etl.cli.explanation import print_explanation
    from hem_etl.landing import open_landing
    from hem_etl.settings import load_settings

    landing = open_landing(load_settings())
    explanation = facts.explain(_warehouse(), landing, system, day.date(), metric)
    if is_json:
        print_json(explanation)
    else:
        print_explanation(explanation)


def report(
    output: Annotated[Path | None, typer.Option(help="Folder for the pages; default: report, beside the data.")] = None,
    start: Start = None,
    end: End = None,
    system: Systems = None,
    vendor: Vendors = None,
    has_all: Annotated[bool, typer.Option("--all", help="A page for every home of a large fleet.")] = False,
    is_opened: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    is_json: Json = False,
) -> None:
    """Pages of the fleet and of each home, to look at: they open offline. By default the newest 90 days."""
    import webbrowser

    from hem_etl.report import REPORT_FOLDER, make_report
    from hem_etl.settings import load_settings
    from hem_etl.warehouse import open_warehouse

    first, last = first_and_last(start, end)
    settings = load_settings()
    made = make_report(
        open_warehouse(settings),
        output or settings.home / REPORT_FOLDER,
        systems=system or (),
        vendors=vendor or (),
        start=first,
        end=last,
        has_all=has_all,
        language=language,
    )
    if is_json:
        print_json(asdict(made))
    else:
        say(f"{made.pages} of {made.homes} homes have a page, {made.start} to {made.end}.")
        print_line(str(made.index))
    if is_opened:
        webbrowser.open(made.index.resolve().as_uri())


def check(
    is_all: Annotated[bool, typer.Option("--all", help="Run every check again, on all of history.")] = False,
    is_json: Json = False,
) -> None:
    """What the SQL checks found at the last publish, with failing rows; and what those of HEM_ETL_MODELS find.

    Exit 1 when a structural one of ours fails; your own change nothing about it.
    """
    from hem_etl import facts
    from hem_etl.settings import load_settings

    warehouse = _warehouse()
    checked = (facts.check_again if is_all else facts.checks_of_the_publish)(warehouse)
    folder = load_settings().own_models
    own = facts.OwnChecked([], None) if folder is None else facts.check_own(warehouse, folder)
    if is_json:
        named = [{**asdict(each.result), "name": f"own.{each.result.name}"} for each in own.checked]
        print_json([*(asdict(each.result) for each in checked), *named])
    else:
        _print_failing(checked, "")
    narrow = sum(each.result.scope == Scope.CHANGED for each in checked)
    where = f"; {narrow} ran on what had changed, `--all` runs them on all of history" if narrow else ""
    say(f"{len(checked)} checks, {_with_rows(checked)} with rows{where}.")
    if folder is not None:
        if not is_json:
            _print_failing(own.checked, "own ")
        say(
            f"Your own models cannot be checked: {own.problem}"
            if own.problem
            else f"{len(own.checked)} checks of your own models, {_with_rows(own.checked)} with rows."
        )
    if any(each.found is not None and each.result.severity == "error" for each in checked):
        raise typer.Exit(1)


def _with_rows(checked: Sequence["Checked"]) -> int:
    return sum(each.found is not None for each in checked)


def _print_failing(checked: Sequence["Checked"], whose: str) -> None:
    for each in checked:
        if each.found is not None:
            title = (
                f"{whose}{each.result.severity}: {each.result.name} does not hold. Each row: {each.check.failing_row}"
            )
            print_table(each.found.names, each.found.rows, title=title, total=each.result.failing_rows)


def dictionary(
    relation: Annotated[str | None, typer.Argument(help="Only this one, with its columns: marts.daily_energy.")] = None,
    is_json: Json = False,
) -> None:
    """What relations and their columns mean, with units and what NULL means; those of HEM_ETL_MODELS too."""
    from hem_etl import facts
    from hem_etl.settings import load_settings

    try:
        meanings = facts.read_meanings(load_settings().own_models)
    except ModelError as error:
        say(f"Your own models cannot be read, these are ours: {error}")
        meanings = facts.read_meanings(None)
    if relation is None:
        listed = {name: each.model.meaning for name, each in meanings.items()}
        if is_json:
            print_json([{"relation": name, "meaning": meaning} for name, meaning in listed.items()])
        for name, meaning in () if is_json else listed.items():
            print_line(f"{name}: {meaning}")
        return
    told = facts.meaning_of(relation, meanings)
    model = told.model
    about = {
        "relation": model.relation,
        "meaning": model.meaning,
        "grain": model.grain,
        "key": ", ".join(model.key) or "none",
        "null": model.null,
        "reads": ", ".join(told.reads) or "none",
        "read by": ", ".join(told.read_by) or "none",
    }
    if is_json:
        print_json(about | {"columns": [asdict(column) for column in model.columns]})
        return
    for name, text in about.items():
        print_line(f"{name}: {text}")
    for column in model.columns:
        print_line(f"  {column.name} | {column.type} | {column.unit} | {column.meaning}")


def sql(
    query: str,
    is_json: Json = False,
    is_csv: Annotated[bool, typer.Option("--csv", help="All rows as CSV.")] = False,
    is_parquet: Annotated[bool, typer.Option("--parquet", help="All rows as Parquet; needs --output.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file; its ending (.csv, .parquet, .json) says what.")
    ] = None,
) -> None:
    """One query on the published file: it reads that file alone and changes nothing.

    A terminal shows the first 100 rows, a pipe gets all of them.
    """
    from hem_etl import facts

    kind = chosen_kind(output, json=is_json, csv=is_csv, parquet=is_parquet)
    warehouse = _warehouse()
    if kind in ("csv", "parquet"):
        frame = facts.query_frame(warehouse, query)
        if output is None:
            print_csv(frame)
            return
        with writing(output) as file:
            write_frame(frame, kind, file)
        say(f"{frame.height} rows in {output}")
        return
    names, rows = facts.query(warehouse, query)
    if output is not None:
        with writing(output) as file:
            file.write(as_json(objects(names, rows)).encode())
        say(f"{len(rows)} rows in {output}")
        return
    most = FEW_ROWS if sys.stdout.isatty() and not is_json else len(rows)
    print_table(names, rows[:most], is_json=is_json, total=len(rows))


def _warehouse() -> "Warehouse":
    from hem_etl.settings import load_settings
    from hem_etl.warehouse import open_warehouse

    return open_warehouse(load_settings())
