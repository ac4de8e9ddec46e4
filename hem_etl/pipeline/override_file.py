"""The operator's file of corrections: its text read and judged. No landing, no tables, no frames.

    system_id,start,end,metric,value,author,reason
    4df6f0c1-561e-4016-a36d-19502ce876e7,2026-03-01,2026-03-02,consumption,ignore,ann,meter was off
    4df6f0c1-561e-4016-a36d-19502ce876e7,2026-03-03T10:00+01:00,2026-03-03T12:00+01:00,grid_import,0.4,ann,from the bill

`read_override_file` says what the text means, `require_possible` whether it can be applied here. A problem names its
line, and its column where it lies in one cell; one problem refuses the whole file.
"""

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from hem_etl.errors import UsageError
from hem_etl.local_day import day_bounds_utc, first_instant, naive_utc, zone_named
from hem_etl.vocabulary import FLOWS, METRICS, SOC

COLUMNS: Final = ("system_id", "start", "end", "metric", "value", "author", "reason")
IGNORE: Final = "ignore"
PROBLEMS_SHOWN: Final = 20
HIGHEST_SOC_PCT: Final = 100.0
TEMPLATE: Final = f"""\
# Corrections by hand. `hem-etl overrides apply FILE.csv` puts the whole file in force in place of the one before:
# keep one file, add rows, remove a row to take it back. Lines that begin with # are left out.
#
# system_id   the whole id, as `hem-etl systems` lists it
# start, end  local days, both included (2026-03-01), or instants with an offset, the end excluded
#             (2026-03-01T10:00+01:00): then the buckets that begin between the two
# metric      {", ".join(METRICS[:4])},
#             {", ".join(METRICS[4:])}
# value       mean power of each bucket in kW (soc: %), or `{IGNORE}` to leave the buckets out
# author, reason  who says so, and why: whoever reads the invoice will ask
{",".join(COLUMNS)}
# 4df6f0c1-561e-4016-a36d-19502ce876e7,2026-03-01,2026-03-02,consumption,{IGNORE},ann,the meter was being replaced
# 4df6f0c1-561e-4016-a36d-19502ce876e7,2026-03-03T10:00+01:00,2026-03-03T12:00+01:00,grid_import,0.4,ann,from the bill
"""

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
"""No reading lies outside; what is meant for ever ends here."""

_OUT_OF_TIME: Final = f"is not in the years {FIRST_YEAR} to {LAST_YEAR}"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Override:
    """One row: what counts in place of what was sent. Instants are naive UTC; a row has days or instants."""

    line: int
    system_id: str
    start: str
    end: str
    metric: str
    value: float | None
    """kW, or % for the state of charge; None: ignore."""
    author: str
    reason: str
    days: tuple[date, date] | None
    """First and last local day."""
    instants: tuple[datetime, datetime] | None
    """First instant and first instant after."""

    @property
    def override_id(self) -> str:
        """The same for the same content, wherever the row stands."""
        said = (self.system_id, self.start, self.end, self.metric, self.value, self.author, self.reason)
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    @property
    def reach(self) -> tuple[date, date]:
        """The local days that can hold a bucket of it, whatever the zone."""
        if self.days is not None:
            return self.days
        assert self.instants is not None
        return self.instants[0].date() - timedelta(days=1), self.instants[1].date() + timedelta(days=1)


def read_override_file(body: bytes) -> list[Override]:
    """The rows of a file, in its order.

    UsageError that tells every problem of its cells; where it cannot be cut into cells, the first one.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"the file is not UTF-8 (byte {error.start}): save it as UTF-8 and apply it again") from None
    problems: list[str] = []
    rows: list[Override] = []
    for line, cells in _cells(text):
        found = [*_problems(line, cells)]
        problems += found
        if not found:
            rows.append(_row(line, cells))
    _refuse(problems)
    return rows


def require_possible(rows: Sequence[Override], zones: Mapping[str, str | None], over_limit_kw: float) -> None:
    """Refuse what cannot be meant. zones: every known system with its zone. UsageError that tells every problem."""
    problems = [problem for row in rows for problem in _impossible(row, zones, over_limit_kw)]
    _refuse(problems or [*_disagreements(rows, zones)])


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = f"\n  … and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        lines = "".join(f"\n  {problem}" for problem in problems[:PROBLEMS_SHOWN])
        raise UsageError(
            f"nothing was applied, the file has {len(problems)} problem{'s'[: len(problems) > 1]}:{lines}{more}"
        )


def _cells(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells of each row below the header."""
    reader = csv.reader(_without_comments(text), strict=True)
    header: list[str] | None = None
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if header is None:
                header = stripped
                if sorted(header) != sorted(COLUMNS):
                    raise UsageError(f"line {line}: the columns must be {','.join(COLUMNS)}, not {','.join(header)}")
            elif len(stripped) != len(header):
                _refuse(
                    [f"line {line}: has {len(stripped)} cells, the header {len(header)} (quote a text with commas)"]
                )
            else:
                yield line, dict(zip(header, stripped, strict=True))
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num}: is no CSV ({error})") from None
    if header is None:
        raise UsageError(f"the file has no header: the first line must be {','.join(COLUMNS)}")


def _without_comments(text: str) -> Iterator[str]:
    """The lines, those that begin with # left blank; inside a quoted cell # is text."""
    quotes = 0
    for line in io.StringIO(text, newline=""):
        if line.startswith("#") and quotes % 2 == 0:
            yield "\n"
        else:
            quotes += line.count('"')
            yield line


def _problems(line: int, cells: Mapping[str, str]) -> Iterator[str]:
    for name in ("system_id", "author", "reason"):
        if not cells[name]:
            yield f"line {line}, {name}: is empty"
        elif any(ord(char) < ord(" ") and not char.isspace() for char in cells[name]):
            yield f"line {line}, {name}: holds a control character"
    bounds = {}
    for name in ("start", "end"):
        bound = _bound(cells[name])
        if isinstance(bound, str):
            yield f"line {line}, {name}: {cells[name]!r} {bound}"
        else:
            bounds[name] = bound
    if len(bounds) == 2:
        start, end = bounds["start"], bounds["end"]
        if isinstance(start, datetime) != isinstance(end, datetime):
            yield f"line {line}, end: start and end must both be days, or both instants"
        elif end < start:
            yield f"line {line}, end: {cells['end']} lies before the start {cells['start']}"
        elif end == start and isinstance(end, datetime):
            yield f"line {line}, end: is the start; the end is excluded, so this names no bucket"
    if cells["metric"] not in METRICS:
        yield f"line {line}, metric: {cells['metric']!r} is none of {', '.join(METRICS)}"
    value = cells["value"]
    if value.lower() != IGNORE and not (_NUMBER.fullmatch(value) and math.isfinite(float(value))):
        yield f"line {line}, value: {value!r} is neither a finite number (1.5) nor `{IGNORE}`"


def _bound(text: str) -> date | datetime | str:
    """A local day, an aware instant, or what is wrong with the text."""
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return day if FIRST_YEAR <= day.year <= LAST_YEAR else _OUT_OF_TIME
        if _INSTANT.fullmatch(text):
            instant = datetime.fromisoformat(text.upper().replace(" ", "T"))
            if instant.tzinfo is None:
                return "has no offset: write 2026-03-01T10:00+01:00"
            return instant.astimezone(UTC) if FIRST_YEAR <= instant.year <= LAST_YEAR else _OUT_OF_TIME
    except (ValueError, OverflowError):
        return "does not exist"
    return "is neither a day (2026-03-01) nor an instant (2026-03-01T10:00+01:00)"


def _row(line: int, cells: Mapping[str, str]) -> Override:
    start, end = _bound(cells["start"]), _bound(cells["end"])
    assert not isinstance(start, str)
    assert not isinstance(end, str)
    instants = (naive_utc(start), naive_utc(end)) if isinstance(start, datetime) and isinstance(end, datetime) else None
    return Override(
        line=line,
        system_id=cells["system_id"],
        start=cells["start"],
        end=cells["end"],
        metric=cells["metric"],
        value=None if cells["value"].lower() == IGNORE else float(cells["value"]) + 0.0,  # no negative zero
        author=cells["author"],
        reason=cells["reason"],
        days=None if instants else (start, end),
        instants=instants,
    )


def _impossible(row: Override, zones: Mapping[str, str | None], over_limit_kw: float) -> Iterator[str]:
    if row.system_id not in zones:
        yield f"line {row.line}, system_id: no system {row.system_id!r} is known: `hem-etl systems` lists them"
    if row.value is None:
        return
    if row.value < 0:
        yield f"line {row.line}, value: {row.value:g} is negative; the other direction is a metric of its own"
    elif row.metric == SOC and row.value > HIGHEST_SOC_PCT:
        yield f"line {row.line}, value: {row.value:g} % is more than full"
    elif row.metric in FLOWS and row.value > over_limit_kw:
        yield f"line {row.line}, value: {row.value:g} kW is beyond HEM_ETL_OVER_LIMIT_KW, {over_limit_kw:g}"


def _disagreements(rows: Sequence[Override], zones: Mapping[str, str | None]) -> Iterator[str]:
    """Rows of one system and metric that say different things of the same time.

    In the order of their starts each row is compared with the one before it that reaches farthest: as long as rows
    agree, all that reach so far say the same.
    """
    farthest: dict[tuple[str, str], tuple[datetime, Override]] = {}
    spans = sorted(((_span(row, zones[row.system_id]), row) for row in rows), key=lambda each: each[0])
    for (start, end), row in spans:
        before = farthest.get((row.system_id, row.metric))
        if before is not None and start < before[0] and row.value != before[1].value:
            first, second = sorted((row.line, before[1].line))
            yield f"line {second}: says something else than line {first} of the same {row.metric} at the same time"
        if before is None or end > before[0]:
            farthest[row.system_id, row.metric] = end, row


def _span(row: Override, zone_name: str | None) -> tuple[datetime, datetime]:
    """The row's time in UTC; a system whose zone is not known yet is taken to live by UTC."""
    if row.instants is not None:
        return row.instants
    assert row.days is not None
    zone = zone_named(zone_name) or UTC
    return naive_utc(first_instant(row.days[0], zone)), naive_utc(day_bounds_utc(row.days[1], zone)[1])
