"""What the SQL models read besides data: thresholds, the calendar, and states that change with time alone."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import polars as pl

from hem_etl.answer import Key
from hem_etl.errors import SettingsError
from hem_etl.local_day import Interval, day_bounds_utc, days_between, naive_utc, rules_sha256, zone_named
from hem_etl.pipeline.keys import days_within
from hem_etl.settings import EVERY_VENDOR, Settings
from hem_etl.vocabulary import IntervalKind, State
from hem_etl.warehouse import EVERYTHING, Writer

CALENDAR_SCHEMA: Final = pl.Schema(
    {
        "timezone": pl.String(),
        "day": pl.Date(),
        "start_utc": pl.Datetime("us"),
        "end_utc": pl.Datetime("us"),
        "hours": pl.Float64(),
    }
)
BALANCE_OF_VENDOR: Final = "balance_tolerance:"
ENDED_INTERVALS: Final = """
select system_id, interval_kind, day from core.load where state = $open and ends_at_utc <= $now
"""


def write_reference(writer: Writer, settings: Settings, now: datetime) -> None:
    """Bring `core.setting`, `core.local_day` and the states of ended intervals up to date; call it in a transaction."""
    _write_thresholds(writer, settings)
    _write_calendar(writer)
    facts = {"provisional": State.PROVISIONAL, "open": State.OPEN, "now": naive_utc(now)}
    ended = writer.read(ENDED_INTERVALS, facts)
    if not ended.is_empty():
        writer.change("update core.load set state = $provisional where state = $open and ends_at_utc <= $now", facts)
    # a day that the calendar gains belongs to months that are looked at in the same run
    changed = days_within((name, Interval(IntervalKind(kind), day)) for name, kind, day in ended.rows())
    writer.note_changes(changed, ("core.load", "core.local_day", "core.zone"))


def hold_thresholds(writer: Writer, settings: Settings) -> None:
    """Remember what days are judged with, before the first is. Raises SettingsError where others were judged otherwise.

    Days read with different limits must not stand side by side.
    """
    values_before = dict(writer.read("select name, value from core.setting").iter_rows())
    judged = _judged_with(settings)
    for name in (
        [*judged, *(name for name in values_before if name.startswith(BALANCE_OF_VENDOR))] if values_before else []
    ):
        if values_before.get(name) != judged.get(name):
            now = f"is {judged[name]:g}" if name in judged else "is not set"
            before = f"with {values_before[name]:g}" if name in values_before else "without it"
            field, _, vendor = name.partition(":")
            variable = f"{Settings.model_fields[field].alias}{f' of {vendor}' if vendor else ''}"
            raise SettingsError(
                f"{variable} {now}, and the warehouse was loaded {before}: run `hem-etl rebuild` to read "
                "everything landed with the new limit, or set the old one again."
            )
    with writer.transaction():
        _write_thresholds(writer, settings)


def _judged_with(settings: Settings) -> dict[str, float]:
    """What days are read and judged with, by field of the settings (`balance_tolerance:TESLA` for one vendor)."""
    fields = ("over_limit_kw", "spike_kw", "stale_buckets", "night_generation_kw", "simultaneous_kw")
    return {
        **{name: float(getattr(settings, name)) for name in fields},
        "balance_tolerance": settings.balance_tolerance_of(None),
        **{
            f"{BALANCE_OF_VENDOR}{vendor}": tolerance
            for vendor, tolerance in sorted(settings.balance_tolerance.items())
            if vendor != EVERY_VENDOR
        },
    }


def _write_thresholds(writer: Writer, settings: Settings) -> None:
    """The thresholds that the SQL models read, and those that days are judged with."""
    values = {
        **_judged_with(settings),
        "complete_coverage": settings.complete_coverage,
        "settle_days": settings.settle_days,
        "event_days": settings.event_days,
        "gap_generation_kw": settings.gap_generation_kw,
        "gap_consumption_kw": settings.gap_consumption_kw,
    }
    rows = pl.DataFrame({"name": list(values), "value": [float(value) for value in values.values()]})
    other = rows.join(writer.read("select name, value from core.setting"), on=["name", "value"], how="anti")
    writer.replace("core.setting", other, keys=other.select("name"))


def renew_calendar(writer: Writer) -> dict[Key, str]:
    """Recompute the days of zones whose rules are others than when their days were made; call it in a transaction.

    Returns the intervals that were read in a day, or until an end, that is another now, oldest first, each with its
    zone.
    """
    rules_before = dict(writer.read("select timezone, rules_sha256 from core.zone").iter_rows())
    changed = [name for name, rules in rules_before.items() if rules_sha256(name) != rules]
    if not changed:
        return {}
    zones = pl.DataFrame({"timezone": changed})
    writer.note_changes(EVERYTHING, ())  # days that nobody could load and whole months have other lengths too
    before = writer.rows("core.local_day", CALENDAR_SCHEMA, keys=zones)
    after = _calendar(before.select("day", "timezone").iter_rows())
    writer.replace("core.local_day", after, keys=zones)
    writer.replace("core.zone", _rules(changed), keys=zones)
    bounds = ["timezone", "day", "start_utc", "end_utc"]
    moved = after.select(bounds).join(before.select(bounds), on=bounds, how="anti").select("timezone", "day")
    rows = writer.read(
        "select system_id, interval_kind, day, timezone from core.load as load "
        "semi join moved on moved.timezone = load.timezone and (moved.day = load.day "
        "or (load.interval_kind = 'month' and moved.day = last_day(load.day))) "
        "where load.version is not null order by day, system_id",
        moved=moved,
    )
    return {(system_id, Interval(IntervalKind(kind), day)): zone for system_id, kind, day, zone in rows.iter_rows()}


def _rules(names: Iterable[str]) -> pl.DataFrame:
    rows = [(name, rules_sha256(name)) for name in names]
    return pl.DataFrame(rows, schema={"timezone": pl.String(), "rules_sha256": pl.String()}, orient="row")


def _calendar(days: Iterable[tuple[date, str]]) -> pl.DataFrame:
    rows = []
    for day, name in days:
        zone = zone_named(name)
        assert zone is not None, name
        start, end = day_bounds_utc(day, zone)
        rows.append((name, day, naive_utc(start), naive_utc(end), (end - start).total_seconds() / 3600))
    return pl.DataFrame(rows, schema=CALENDAR_SCHEMA, orient="row")


def _write_calendar(writer: Writer) -> None:
    """Add the days that `core.local_day` lacks: every zone in use, whole months around everything in the ledger."""
    span = writer.read("select min(day) as first, max(day) as last from core.load").row(0)
    if span[0] is None:
        return
    zones = writer.read("select timezone from core.system union select timezone from core.load order by timezone")[
        "timezone"
    ]
    days = pl.DataFrame({"day": list(days_between(span[0].replace(day=1), Interval.of_month(span[1]).last_day))})
    valid_zones = pl.Series("timezone", [name for name in zones if zone_named(name)], dtype=pl.String)
    wanted = days.join(valid_zones.to_frame(), how="cross")
    here = writer.read("select timezone, day from core.local_day")
    missing = wanted.join(here, on=["timezone", "day"], how="anti").select("day", "timezone")
    writer.append("core.local_day", _calendar(missing.iter_rows()))
    named = writer.read("select timezone from core.zone")["timezone"]
    writer.append("core.zone", _rules(name for name in valid_zones if name not in named.to_list()))
