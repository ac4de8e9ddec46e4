"""`hem-etl overrides`: correct a bad value, see what is corrected, take it back. Enode is not asked."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hem_etl.cli.output import print_json, print_rows, print_table, say
from hem_etl.errors import UsageError

DAYS_SHOWN: Final = 20

overrides = typer.Typer(
    no_args_is_help=True,
    help="Correct bad values by hand: counted in marts.daily_energy and sums of it, reversible, kept at every re-load.",
)

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]


@overrides.command()
def apply(
    file: Annotated[Path, typer.Argument(help="The CSV file with every correction that shall be in force.")],
    is_json: Json = False,
) -> None:
    """Put a file in force in place of the one before, load, check, publish. A row that is gone is taken back."""
    from hem_etl.cli.progress import TerminalProgress
    from hem_etl.pipeline import Road
    from hem_etl.settings import load_settings

    try:
        body = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file} ({error.strerror}): `hem-etl overrides template` prints one") from error
    with TerminalProgress() as progress:
        report = Road(load_settings(), progress=progress).apply_overrides(body)
    if is_json:
        print_json(report.facts())
        return
    say(f"{report.rows} rows in force: {report.new_rows} new, {report.taken_back} taken back.")
    if report.idle:
        names = list(report.idle[0])
        rows = [tuple(row.values()) for row in report.idle]
        print_table(names, rows, title=f"{len(report.idle)} rows edit nothing as yet")
    if report.changed_days:
        first_days = [(system_id, interval.day) for system_id, interval in report.changed_days[:DAYS_SHOWN]]
        changed = len(report.changed_days)
        print_table(("system_id", "day"), first_days, title=f"{changed} days changed", total=changed)
    else:
        say("No loaded day changed.")
    say(f"Published {report.published}")


@overrides.command(name="list")
def list_(is_json: Json = False) -> None:
    """What is in force, since when, and how many buckets each row edits."""
    from hem_etl.pipeline import Road
    from hem_etl.pipeline.override_file import IGNORE
    from hem_etl.settings import load_settings

    rows = Road(load_settings()).overrides()
    names = ("override_id", "system_id", "start", "end", "metric", "value", "author", "reason", "valid_from_utc")
    counts = ("loaded_days", "days_without_the_series", "edited_days", "edited_buckets")
    listed = rows.select(*names, *counts).rename({"valid_from_utc": "in_force_since_utc"})
    if is_json:
        print_rows(listed, is_json=True)
        return
    cells = [
        tuple(IGNORE if cell is None and name == "value" else cell for name, cell in row.items())
        for row in listed.drop("override_id").iter_rows(named=True)
    ]
    print_table(listed.columns[1:], cells)
    say(f"{rows.height} rows in force.")


@overrides.command()
def template() -> None:
    """A file to begin with: the columns, what they mean, two examples in comments."""
    from hem_etl.pipeline.override_file import TEMPLATE

    typer.echo(TEMPLATE, nl=False)
