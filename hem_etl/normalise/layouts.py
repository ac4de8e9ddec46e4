"""Where the points of a body go: its rows (every bucket start any series sent) and, per metric, which point fills a
row.

Bodies whose series share their axes share one layout, so a batch has few; placing the values is then one gather a
metric.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import polars as pl

from hem_etl.normalise.axes import Axis, Calendar, with_local_time
from hem_etl.normalise.picking import Picked
from hem_etl.vocabulary import METRICS

_Key = tuple[tuple[Axis | None, ...], int]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    calendar: Calendar
    rows: list[int]
    """UTC microseconds, ascending."""
    points: tuple[list[int | None] | None, ...]
    """Per metric, per row: the point's place in its series; None for the whole of a metric that is not available."""
    sent: tuple[int, ...]
    """Per metric: rows that have a point."""
    first_row: int
    """Where the rows begin among those of all layouts of the batch."""


def layouts_of(bodies: Sequence[Picked]) -> list[tuple[int, Layout]]:
    """The layout of each body that has series to lay out, with its index; bodies that are laid out alike share one."""
    known: dict[_Key, Layout] = {}
    first_row = 0
    laid_out = []
    for body_ix, picked in enumerate(bodies):
        if picked.calendar is None or not picked.axes:
            continue
        axes = tuple(picked.axes.get(metric) for metric in METRICS)
        layout = known.get((axes, picked.until))
        if layout is None:
            layout = known[axes, picked.until] = _layout(picked.calendar, axes, picked.until, first_row)
            first_row += len(layout.rows)
        laid_out.append((body_ix, layout))
    return laid_out


def layout_rows(laid_out: Sequence[tuple[int, Layout]]) -> pl.DataFrame:
    """The rows of all bodies: body_ix, start in UTC and local, and per metric (`point_0` …) the point's place."""
    distinct = list(dict.fromkeys(layout for _, layout in laid_out))
    columns: dict[str, pl.Series] = {
        "start": pl.Series(list(chain.from_iterable(layout.rows for layout in distinct)), dtype=pl.Int64),
        "calendar_ix": _repeated(range(len(distinct)), [len(layout.rows) for layout in distinct]),
    }
    for ix in range(len(METRICS)):
        places = chain.from_iterable(layout.points[ix] or [None] * len(layout.rows) for layout in distinct)
        columns[f"point_{ix}"] = pl.Series(list(places), dtype=pl.UInt32)
    rows = with_local_time(pl.DataFrame(columns), [layout.calendar for layout in distinct])
    first = pl.Series([layout.first_row for _, layout in laid_out], dtype=pl.UInt32)
    sizes = [len(layout.rows) for _, layout in laid_out]
    row = pl.int_ranges(first, first + pl.Series(sizes, dtype=pl.UInt32), dtype=pl.UInt32, eager=True)
    return rows.select(pl.all().gather(row.explode(empty_as_null=False))).with_columns(
        body_ix=_repeated([body_ix for body_ix, _ in laid_out], sizes)
    )


def _repeated(values: Sequence[int], times: Sequence[int]) -> pl.Series:
    """Each value as often as said."""
    counts = pl.Series(times, dtype=pl.UInt32)
    return pl.Series(values, dtype=pl.UInt32).repeat_by(counts).explode(empty_as_null=False)


def _layout(calendar: Calendar, axes: tuple[Axis | None, ...], until: int, first_row: int) -> Layout:
    ended = {axis: axis.ended(until) for axis in axes if axis is not None}
    starts = {axis: axis.starts[:count] for axis, count in ended.items()}
    rows = max(starts.values(), key=len)
    if any(own != rows for own in starts.values()):
        rows = sorted(set().union(*starts.values()))
    places: dict[Axis, list[int | None]] = {}
    for axis, own in starts.items():
        positions: list[int | None] = [*axis.positions[: len(own)]]
        places[axis] = positions if own == rows else list(map(dict(zip(own, positions, strict=True)).get, rows))
    return Layout(
        calendar=calendar,
        rows=rows,
        points=tuple(None if axis is None else places[axis] for axis in axes),
        sent=tuple(0 if axis is None else ended[axis] for axis in axes),
        first_row=first_row,
    )
