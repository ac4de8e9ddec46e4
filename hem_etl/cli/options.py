"""Options that several commands share, and the range of days that they name."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hem_etl.cli.output import say
from hem_etl.errors import UsageError

if TYPE_CHECKING:
    from hem_etl.pipeline import Request

EARLIEST: Final = date(2000, 1, 1)
LONGEST_DAYS: Final = 20_000
_LAST: Final = re.compile(r"([1-9][0-9]{0,4})([dw]?)")

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Start = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First local day, e.g. 2026-03-29.")]
End = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last local day, included.")]
Last = Annotated[
    str | None, typer.Option(metavar="14d", help="In place of --start and --end: so many days up to yesterday (UTC).")
]
Yesterday = Annotated[bool, typer.Option("--yesterday", help="The same as --last 1d.")]
Systems = Annotated[
    list[str] | None, typer.Option("--system", help="Only this system, by its id or a unique beginning; repeatable.")
]
Vendors = Annotated[list[str] | None, typer.Option("--vendor", help="Only this vendor's systems; repeatable.")]
Users = Annotated[list[str] | None, typer.Option("--user", help="Only this user's systems; repeatable.")]
NoMonths = Annotated[bool, typer.Option("--no-months", help="Leave out the vendor's month reports.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask for everything in the range, due or not.")]


def day_range(
    start: datetime | None, end: datetime | None, last: str | None, is_yesterday: bool, today: date
) -> tuple[date, date]:
    """First and last local day. UsageError unless exactly one way names them."""
    ways = [start is not None or end is not None, last is not None, is_yesterday]
    if sum(ways) != 1:
        raise UsageError("name the days: --start and --end, or --last 14d, or --yesterday (one of the three)")
    first, end_day = first_and_last(start, end)
    if first and end_day:
        return first, end_day
    if start is not None or end is not None:
        raise UsageError(f"{'--end' if end is None else '--start'} is missing: a range has both, or is --last 14d")
    days = 1 if is_yesterday else _days(last or "")
    return today - timedelta(days=days), today - timedelta(days=1)


def first_and_last(start: datetime | None, end: datetime | None) -> tuple[date | None, date | None]:
    """What was said of the two; UsageError where they are the wrong way round."""
    first, last = start and start.date(), end and end.date()
    if first and last and last < first:
        raise UsageError(f"--end {last} lies before --start {first}: swap them")
    return first, last


def make_request(
    days: tuple[date, date],
    systems: list[str] | None,
    vendors: list[str] | None,
    users: list[str] | None,
    no_months: bool,
    is_refresh: bool,
) -> "Request":
    """What a run or a plan is asked; UsageError for days that cannot be meant."""
    from hem_etl.pipeline import Request

    start, end = days
    tomorrow = today_utc() + timedelta(days=1)
    if not EARLIEST <= start <= tomorrow:
        raise UsageError(f"the first day {start} must lie between {EARLIEST} and {tomorrow}")
    if end > tomorrow:
        say(f"note: days after {tomorrow} have begun nowhere; they are not asked (--end {end})")
    return Request(
        start,
        min(end, tomorrow),
        frozenset(systems or ()),
        frozenset(vendors or ()),
        frozenset(users or ()),
        has_months=not no_months,
        is_refresh=is_refresh,
    )


def today_utc() -> date:
    return datetime.now(UTC).date()


def _days(text: str) -> int:
    found = _LAST.fullmatch(text.strip().lower())
    days = int(found[1]) * (7 if found[2] == "w" else 1) if found else 0
    if not 0 < days <= LONGEST_DAYS:
        raise UsageError(f"--last {text!r} is no number of days: write 14d, or 2w")
    return days
