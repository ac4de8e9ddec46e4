"""What the SQL models read besides data: thresholds, the calendar, and states that change with time alone."""

from datetime import datetime

import polars as pl

from hem_etl.errors import SettingsError
from hem_etl.local_day import Interval, day_bounds_utc, days_between, naive_utc, zone_named
from hem_etl.settings import Settings
from hem_etl.vocabulary import State
from hem_etl.warehouse import Writer


def write_reference(writer: Writer, settings: Settings, now: datetime) -> None:
    """Bring `core.setting`, `core.local_day` and the states of ended intervals up to date; call it in a transaction."""
    _write_thresholds(writer, settings)
    _write_calendar(writer)
    writer.connection.execute(
        "update core.load set state = $provisional where state = $open and ends_at_utc <= $now",
        {"provisional": State.PROVISIONAL, "open": State.OPEN, "now": naive_utc(now)},
    )


def require_same_limit(writer: Writer, settings: Settings) -> None:
    """Days read with different limits must not stand side by side. Raises SettingsError that says what to do."""
    held = writer.read("select value from core.setting where name = 'over_limit_kw'")["value"].to_list()
    if held and held[0] != settings.over_limit_kw:
        raise SettingsError(
            f"HEM_ETL_OVER_LIMIT_KW is {settings.over_limit_kw:g}, and the warehouse was loaded with {held[0]:g}: run "
            "`hem-etl rebuild` to read everything landed with the new limit, or set the old one again."
        )


def _write_thresholds(writer: Writer, settings: Settings) -> None:
    """The thresholds that the SQL models read."""
    values = {
        "complete_coverage": settings.complete_coverage,
        "over_limit_kw": settings.over_limit_kw,
        "settle_days": settings.settle_days,
        "gap_generation_kw": settings.gap_generation_kw,
        "gap_consumption_kw": settings.gap_consumption_kw,
    }
    rows = pl.DataFrame({"name": list(values), "value": [float(value) for value in values.values()]})
    writer.replace("core.setting", rows, keys=rows.select("name"))


def _write_calendar(writer: Writer) -> None:
    """Add the days that `core.local_day` lacks: every zone in use, whole months around everything in the ledger."""
    span = writer.read("select min(day) as first, max(day) as last from core.load").row(0)
    if span[0] is None:
        return
    zones = writer.read("select timezone from core.system union select timezone from core.load order by timezone")[
        "timezone"
    ]
    days = pl.DataFrame({"day": list(days_between(span[0].replace(day=1), Interval.of_month(span[1]).last_day))})
    known = pl.Series("timezone", [name for name in zones if zone_named(name)], dtype=pl.String)
    wanted = days.join(known.to_frame(), how="cross")
    held = writer.read("select timezone, day from core.local_day")
    rows = []
    for day, name in wanted.join(held, on=["timezone", "day"], how="anti").select("day", "timezone").iter_rows():
        zone = zone_named(name)
        assert zone is not None
        start, end = day_bounds_utc(day, zone)
        rows.append((name, day, naive_utc(start), naive_utc(end), (end - start).total_seconds() / 3600))
    instant = pl.Datetime("us")
    schema = {
        "timezone": pl.String(),
        "day": pl.Date(),
        "start_utc": instant,
        "end_utc": instant,
        "hours": pl.Float64(),
    }
    writer.append("core.local_day", pl.DataFrame(rows, schema=schema, orient="row"))
