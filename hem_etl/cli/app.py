"""The commands. Each reads its options, calls one verb of the road and prints; what they mean is decided elsewhere.

A command imports what it uses when it runs, so that `--help` and a wrong option answer at once: above the commands
stands only what all of them need.
"""

import io
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hem_etl import __version__
from hem_etl.cli import looking
from hem_etl.cli.landing import landing
from hem_etl.cli.options import (
    End,
    Json,
    Last,
    NoMonths,
    Refresh,
    Start,
    Systems,
    Users,
    Vendors,
    Yesterday,
    day_range,
    make_request,
    today_utc,
)
from hem_etl.cli.output import (
    print_findings,
    print_json,
    print_line,
    print_rows,
    say,
    set_up_logging,
)
from hem_etl.cli.overrides import overrides
from hem_etl.cli.relink import relink
from hem_etl.cli.webhooks import webhooks
from hem_etl.errors import HemEtlError, UsageError, told_of_this_machine

if TYPE_CHECKING:
    from hem_etl.pipeline import Road

LOG = logging.getLogger(__name__)

INTERRUPTED: Final = 130
_VERBOSE: Final = re.compile(r"-v+|--verbose")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="From Enode's HEM systems API to daily and monthly numbers in one DuckDB file. New here? `hem-etl demo`.",
    pretty_exceptions_enable=False,
)

app.add_typer(overrides, name="overrides")
app.add_typer(landing, name="landing")
app.add_typer(webhooks, name="webhooks")


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print_line(f"hem_etl {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="-v: the story, -vv: requests.")] = 0,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version.")
    ] = False,
) -> None:
    set_up_logging(verbose)


@app.command()
def demo(
    systems: Annotated[int, typer.Option(min=1, max=10_000, help="Homes to simulate.")] = 18,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days up to yesterday.")] = 14,
) -> None:
    """The whole road on a simulator, in ./hem_demo: no credentials, no network."""
    from hem_etl.cli.demo import run_demo

    raise typer.Exit(run_demo(systems, days))


@app.command()
def simulator(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free port.")] = 8787,
    systems: Annotated[int, typer.Option(min=1, max=10_000)] = 18,
    seed: Annotated[int, typer.Option()] = 1,
    faults: Annotated[str, typer.Option(help="Names with commas between, `all`, or `none`.")] = "none",
) -> None:
    """Serve the simulator on this machine; prints the settings to export."""
    from hem_etl.cli.demo import serve_simulator

    serve_simulator(port, systems, seed, faults)


@app.command()
def run(
    start: Start = None,
    end: End = None,
    last: Last = None,
    yesterday: Yesterday = False,
    system: Systems = None,
    vendor: Vendors = None,
    user: Users = None,
    no_months: NoMonths = False,
    refresh: Refresh = False,
    due: Annotated[bool, typer.Option("--due", help="In place of days: what webhooks announced.")] = False,
    is_json: Json = False,
) -> None:
    """Ask for what is due in these local days, load it, check it, publish it. The main job."""
    from hem_etl.cli.reports import print_report

    if due:
        if any((start, end, last, yesterday, system, vendor, user, no_months, refresh)):
            raise UsageError("--due asks for what webhooks announced, whatever its days: leave the other options out")
        with _road() as road:
            report = road.run_due()
    else:
        days = day_range(start, end, last, yesterday, today_utc())
        request = make_request(days, system, vendor, user, no_months, refresh)
        with _road() as road:
            report = road.run(request)
    print_report(report, is_json=is_json)
    raise typer.Exit(report.exit_code)


@app.command()
def plan(
    start: Start = None,
    end: End = None,
    last: Last = None,
    yesterday: Yesterday = False,
    system: Systems = None,
    vendor: Vendors = None,
    user: Users = None,
    no_months: NoMonths = False,
    refresh: Refresh = False,
    is_json: Json = False,
) -> None:
    """What `run` with the same options would ask; asks nothing."""
    from hem_etl.cli.reports import print_plan
    from hem_etl.pipeline import Road
    from hem_etl.settings import load_settings

    days = day_range(start, end, last, yesterday, today_utc())
    request = make_request(days, system, vendor, user, no_months, refresh)
    settings = load_settings()
    print_plan(Road(settings).preview(request), settings, is_json=is_json)


@app.command()
def systems(
    user: Users = None,
    show: Annotated[str | None, typer.Option(help="Read this system's current state from the API.")] = None,
    is_json: Json = False,
) -> None:
    """Sync and list the fleet and its assets."""
    from hem_etl import facts

    with _road() as road:
        if show is not None:
            print_json(road.read_state(show))
            return
        listed = road.sync_systems(user or ())
        road.load()
        road.publish()
    print_rows(facts.read_systems(road.warehouse, user or ()), is_json=is_json)
    if listed.failure:
        say(f"The list is incomplete ({listed.failure}): run again later.")
        raise typer.Exit(3)


app.command()(looking.status)
app.command()(looking.gaps)
app.command()(looking.explain)
app.command()(relink)
app.command()(looking.report)


@app.command()
def rebuild(is_json: Json = False) -> None:
    """The warehouse again from what is landed, without the API."""
    from hem_etl.cli.progress import TerminalProgress
    from hem_etl.pipeline import Road
    from hem_etl.settings import load_settings

    with TerminalProgress() as progress:
        road = Road(load_settings(), progress=progress)
        loaded = road.rebuild()
    published = road.warehouse.describe().published
    if is_json:
        counts = {"segments": loaded.segments, "receipts": loaded.receipts, "rows": loaded.rows}
        print_json(counts | {"published": published})
    else:
        say(f"Rebuilt {published} from {loaded.receipts} receipts in {loaded.segments} segments.")


@app.command()
def maintain(is_json: Json = False) -> None:
    """Of a lake: merge small files, drop deleted rows, old snapshots and files that nobody needs."""
    from dataclasses import asdict

    from hem_etl.settings import load_settings
    from hem_etl.warehouse import NOTHING_TO_MAINTAIN, open_warehouse

    done = open_warehouse(load_settings()).maintain()
    if is_json:
        print_json(None if done is None else asdict(done))
    else:
        say(NOTHING_TO_MAINTAIN if done is None else str(done))


app.command()(looking.check)
app.command()(looking.dictionary)
app.command()(looking.sql)


@app.command()
def doctor(is_json: Json = False) -> None:
    """Settings, credentials, clock, disk, lock, partitions: each finding with its next step."""
    from hem_etl.cli.doctor import examine
    from hem_etl.settings import load_settings

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
    _write_what_any_stream_can()
    try:
        app(_verbose_first(arguments))
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
        if (told := told_of_this_machine(error)) is not None:
            LOG.info("the disk refuses", exc_info=True)
            say(f"error: {told}")
            return 1
        LOG.exception("unexpected error")
        say(f"error: {type(error).__name__}: {error}. This is a bug of hem_etl: please report it with the lines above.")
        return 1
    return 0


def _told_interrupted() -> int:
    say("Interrupted. What was fetched is landed; the next run loads it without asking again.")
    return INTERRUPTED


def _write_what_any_stream_can() -> None:
    """A character that the stream's encoding lacks (a file under cp1252, ascii) is spelt out, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _verbose_first(arguments: Sequence[str]) -> list[str]:
    """`-v` may stand behind the command too."""
    given = list(arguments)
    ours, rest = (given[: given.index("--")], given[given.index("--") :]) if "--" in given else (given, [])
    verbose = [argument for argument in ours if _VERBOSE.fullmatch(argument)]
    return verbose + [argument for argument in ours if not _VERBOSE.fullmatch(argument)] + rest


@contextmanager
def _road() -> Iterator["Road"]:
    """The road with a client and progress on the terminal."""
    from hem_etl.cli.progress import TerminalProgress
    from hem_etl.pipeline import Road, make_client
    from hem_etl.settings import load_settings

    settings = load_settings()
    with make_client(settings) as client, TerminalProgress() as progress:
        yield Road(settings, client=client, progress=progress)
