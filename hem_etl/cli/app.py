"""The commands. Each reads its options, calls one verb of the road and prints; what they mean is decided elsewhere."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import duckdb
import polars as pl
import typer

from hem_etl import sql_models
from hem_etl.cli.demo import run_demo, serve_simulator
from hem_etl.cli.doctor import examine
from hem_etl.cli.explain import explain as explain_day
from hem_etl.cli.explanation import print_explanation
from hem_etl.cli.output import (
    TerminalProgress,
    print_findings,
    print_json,
    print_rows,
    print_table,
    say,
    set_up_logging,
)
from hem_etl.cli.overrides import overrides
from hem_etl.cli.reports import print_plan, print_report
from hem_etl.errors import HemEtlError, UsageError
from hem_etl.landing import Landing
from hem_etl.pipeline import Request, Road, make_client
from hem_etl.settings import load_settings
from hem_etl.warehouse import read, reading

LOG = logging.getLogger(__name__)

INTERRUPTED = 130
EARLIEST = date(2000, 1, 1)
SYSTEMS = """
select s.system_id, s.user_id, s.vendor, s.timezone, s.is_reachable, s.last_seen_utc, s.gone_at_utc,
       string_agg(concat_ws(' ', a.kind, a.brand, a.model), ', ' order by a.asset_id) as assets
from core.system s
left join core.asset a using (system_id)
where s.user_id in (select id from wanted) or not exists (select id from wanted)
group by all
order by s.system_id
"""
STATUS = """
with
newest as (
    select max(day) as day
    from core.load
    where interval_kind = 'day' and ends_at_utc <= (select max(fetched_at_utc) from core.load)
),
broken as (
    select finding.system_id, finding.rule, count(*) as findings
    from core.finding as finding, newest
    where finding.day between newest.day - 29 and newest.day
    group by all
),
found as (
    select system_id, sum(findings)::bigint as findings, arg_min(rule, (-findings, rule)) as most_frequent_rule
    from broken
    group by system_id
)
select health.system_id, health.vendor, health.newest_complete_day, health.lag_days, health.loaded_days,
       coalesce(found.findings, 0) as findings_30d, found.most_frequent_rule, health.last_outcome, health.last_detail,
       health.relink_reason, health.missing_scopes, health.gone_at_utc
from marts.system_health as health
left join found using (system_id)
order by health.lag_days desc nulls first, health.system_id
"""
GAPS = """
with found as (
    select system_id, day, metric, string_agg(distinct rule, ', ' order by rule) as rules
    from core.finding
    where interval = strftime(day, '%Y-%m-%d')
    group by all
)
select coverage.system_id, coverage.day, coverage.metric, coverage.outcome, coverage.coverage, coverage.explanation,
       nullif(concat_ws(', ', of_metric.rules, of_day.rules), '') as findings
from marts.coverage_daily as coverage
left join found as of_metric
    on of_metric.system_id = coverage.system_id and of_metric.day = coverage.day and of_metric.metric = coverage.metric
left join found as of_day
    on of_day.system_id = coverage.system_id and of_day.day = coverage.day and of_day.metric is null
where coverage.explanation is not null
  and coverage.outcome <> 'not_asked'
  and (coverage.system_id in (select id from wanted) or not exists (select id from wanted))
order by coverage.system_id, coverage.day, coverage.metric
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="From Enode's HEM systems API to daily and monthly numbers in one DuckDB file. New here? `hem-etl demo`.",
    pretty_exceptions_enable=False,
)

app.add_typer(overrides, name="overrides")

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Start = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First local day, e.g. 2026-03-29.")]
End = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last local day, included.")]
Systems = Annotated[list[str] | None, typer.Option("--system", help="Only this system; repeatable.")]
Vendors = Annotated[list[str] | None, typer.Option("--vendor", help="Only this vendor's systems; repeatable.")]
Users = Annotated[list[str] | None, typer.Option("--user", help="Only this user's systems; repeatable.")]
NoMonths = Annotated[bool, typer.Option("--no-months", help="Leave out the vendor's month reports.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask for everything in the range, due or not.")]


@app.callback()
def _options(
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="-v: the story, -vv: requests.")] = 0,
) -> None:
    set_up_logging(verbose)


@app.command()
def demo(
    systems: Annotated[int, typer.Option(min=1, max=10_000, help="Homes to simulate.")] = 18,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days up to yesterday.")] = 14,
) -> None:
    """The whole road on a simulator, in ./hem_demo: no credentials, no network."""
    raise typer.Exit(run_demo(systems, days))


@app.command()
def simulator(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free port.")] = 8787,
    systems: Annotated[int, typer.Option(min=1, max=10_000)] = 18,
    seed: Annotated[int, typer.Option()] = 1,
    faults: Annotated[str, typer.Option(help="Names with commas between, `all`, or `none`.")] = "none",
) -> None:
    """Serve the simulator on this machine; prints the settings to export."""
    serve_simulator(port, systems, seed, faults)


@app.command()
def run(
    start: Start,
    end: End,
    system: Systems = None,
    vendor: Vendors = None,
    user: Users = None,
    no_months: NoMonths = False,
    refresh: Refresh = False,
    is_json: Json = False,
) -> None:
    """Ask for what is due in these local days, load it, check it, publish it. The main job."""
    request = _request(start, end, system, vendor, user, no_months, refresh)
    with _road() as road:
        report = road.run(request)
    print_report(report, is_json=is_json)
    raise typer.Exit(report.exit_code)


@app.command()
def plan(
    start: Start,
    end: End,
    system: Systems = None,
    vendor: Vendors = None,
    user: Users = None,
    no_months: NoMonths = False,
    refresh: Refresh = False,
    is_json: Json = False,
) -> None:
    """What `run` with the same options would ask; asks nothing."""
    request = _request(start, end, system, vendor, user, no_months, refresh)
    settings = load_settings()
    planned = Road(settings).preview(request)
    print_plan(planned, settings, is_json=is_json)


@app.command()
def systems(
    user: Users = None,
    show: Annotated[str | None, typer.Option(help="Read this system's current state from the API.")] = None,
    is_json: Json = False,
) -> None:
    """Sync and list the fleet and its assets."""
    with _road() as road:
        if show is not None:
            print_json(road.read_state(show))
            return
        listed = road.sync_systems(user or ())
        road.load()
        road.publish()
    _print_query(SYSTEMS, is_json, wanted=_wanted(user))
    if listed.failure:
        say(f"The list is incomplete ({listed.failure}): run again later.")
        raise typer.Exit(3)


@app.command()
def status(is_json: Json = False) -> None:
    """Per system: the newest complete day, how the last 30 days ended, what the rules found, what its user must do."""
    _print_query(STATUS, is_json)


@app.command()
def gaps(system: Systems = None, is_json: Json = False) -> None:
    """Every day and metric with something missing, why, and which rules noticed it."""
    _print_query(GAPS, is_json, wanted=_wanted(system))


@app.command()
def explain(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="Enode's id of the system.")],
    day: Annotated[datetime, typer.Argument(metavar="DAY", formats=["%Y-%m-%d"], help="Local day, e.g. 2026-03-29.")],
    metric: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="One flow, soc, or a column such as peak_import_kw.")
    ] = None,
    is_json: Json = False,
) -> None:
    """From a published number back to its formula, buckets, flags, versions and raw answers."""
    settings = load_settings()
    with reading(settings.database) as connection:
        facts = explain_day(connection, Landing(settings.landing), system, day.date(), metric)
    if is_json:
        print_json(facts)
    else:
        print_explanation(facts)


@app.command()
def rebuild(is_json: Json = False) -> None:
    """The warehouse again from what is landed, without the API."""
    with TerminalProgress() as progress:
        road = Road(load_settings(), progress=progress)
        loaded = road.rebuild()
    told = {"segments": loaded.segments, "receipts": loaded.receipts, "rows": loaded.rows}
    if is_json:
        print_json(told | {"published": str(road.settings.database)})
    else:
        say(f"Rebuilt {road.settings.database} from {loaded.receipts} receipts in {loaded.segments} segments.")


@app.command()
def check(is_json: Json = False) -> None:
    """Run the SQL checks on the published file; print failing rows. Exit 1 when a structural one fails."""
    models = sql_models.load_models()
    with reading(load_settings().database) as connection:
        results = sql_models.run_checks(connection, models)
        failing = [result for result in results if result.failing_rows]
        if is_json:
            print_json([asdict(result) for result in results])
        for result in () if is_json else failing:
            names, rows = sql_models.rows(connection, models, result.name)
            title = f"{result.severity}: {result.name}, {result.failing_rows} rows. {models.check(result.name).meaning}"
            print_table(names, rows, title=title)
    say(f"{len(results)} checks, {len(failing)} with rows.")
    if any(result.severity == "error" for result in failing):
        raise typer.Exit(1)


@app.command()
def sql(query: str, is_json: Json = False) -> None:
    """A read-only query on the published file."""
    with reading(load_settings().database) as connection:
        try:
            if len(connection.extract_statements(query)) != 1:
                raise UsageError('give one query: `hem-etl sql "select * from marts.monthly_energy"`')
            cursor = connection.execute(query)
            names, rows = [column[0] for column in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"DuckDB refuses the query: {str(error).strip()}") from error
    print_table(names, rows, is_json=is_json)


@app.command()
def doctor(is_json: Json = False) -> None:
    """Settings, credentials, clock, disk, lock, partitions: each finding with its next step."""
    findings = examine(load_settings())
    if is_json:
        print_json([{"status": status, "what": what, "finding": text} for status, what, text in findings])
    else:
        print_findings(findings)
    if any(status == "FAIL" for status, *_ in findings):
        raise typer.Exit(2)


def main() -> None:
    """The program: runs a command, turns what goes wrong into one line and an exit code."""
    sys.exit(run_app(sys.argv[1:]))


def run_app(arguments: list[str]) -> int:
    """Run with these arguments; returns the exit code."""
    try:
        app(arguments)
    except HemEtlError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return _told_interrupted()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            return _told_interrupted()
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:
        LOG.exception("unexpected error")
        say(f"error: {type(error).__name__}: {error}. This is a bug of hem_etl: please report it with the lines above.")
        return 1
    return 0


def _told_interrupted() -> int:
    say("Interrupted. What was fetched is landed; the next run loads it without asking again.")
    return INTERRUPTED


@contextmanager
def _road() -> Iterator[Road]:
    """The road with a client and progress on the terminal."""
    settings = load_settings()
    with make_client(settings) as client, TerminalProgress() as progress:
        yield Road(settings, client=client, progress=progress)


def _request(
    start: datetime,
    end: datetime,
    systems: list[str] | None,
    vendors: list[str] | None,
    users: list[str] | None,
    no_months: bool,
    is_refresh: bool,
) -> Request:
    if end < start:
        raise UsageError(f"--end {end:%Y-%m-%d} lies before --start {start:%Y-%m-%d}: swap them")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    if not EARLIEST <= start.date() <= tomorrow:
        raise UsageError(f"--start {start:%Y-%m-%d} must lie between {EARLIEST} and {tomorrow}")
    if end.date() > tomorrow:
        say(f"note: days after {tomorrow} have begun nowhere; they are not asked (--end {end:%Y-%m-%d})")
    return Request(
        start.date(),
        min(end.date(), tomorrow),
        frozenset(systems or ()),
        frozenset(vendors or ()),
        frozenset(users or ()),
        has_months=not no_months,
        is_refresh=is_refresh,
    )


def _wanted(ids: list[str] | None) -> pl.DataFrame:
    return pl.DataFrame({"id": list(ids or ())}, schema={"id": pl.String()})


def _print_query(query: str, is_json: bool, **frames: pl.DataFrame) -> None:
    with reading(load_settings().database) as connection:
        print_rows(read(connection, query, **frames), is_json=is_json)
