"""What JSON can spell and no meter can mean: it is counted and found, and no table holds NaN or an infinity."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from engines import published
from tiers import swept
from world import World

from hem_etl.answer import Answer
from hem_etl.local_day import Interval

LIST = {"data": [{"id": "home", "vendor": "SMA", "timezone": "Europe/Berlin"}], "pagination": {"after": None}}
MIDNIGHT = datetime(2026, 11, 9, 23, tzinfo=UTC)  # 2026-11-10 in Berlin
LATER = MIDNIGHT + timedelta(days=30)
FLOWS = ("generation", "consumption", "import", "export", "charge", "discharge")
SPELT = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400, "1.7e308", "-1.7e308")
"""The last two are numbers, but not in kW where they were sent in MW."""


def series(values: list[str], unit: str, resolution: str, start: datetime, step: timedelta) -> str:
    points = ", ".join(
        f'{{"t": "{(start + n * step):%Y-%m-%dT%H:%M:%SZ}", "v": {value}}}' for n, value in enumerate(values)
    )
    return (
        f'{{"isAvailable": true, "unit": "{unit}", "sampling": {{"resolution": "{resolution}"}}, '
        f'"timezone": "Europe/Berlin", "data": [{points}]}}'
    )


def land(world: World, kind: str, label: str, timeseries: dict[str, str]) -> None:
    sent = '{"timeseries": {' + ", ".join(f'"{name}": {text}' for name, text in timeseries.items()) + "}}"
    world.now = LATER
    with world.road().landing.writer() as writer:
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, json.dumps(LIST).encode()))
        writer.add(Answer(kind, "home", Interval.parse(label), 0, None, LATER, 1, 1, 200, None, None, sent.encode()))
    world.road().load()
    world.road().publish()


def not_finite(world: World) -> list[str]:
    """Every column of doubles, in every table and view, that holds something which is no number."""
    with published(world.settings) as con:
        columns = con.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns "
            "where table_catalog = current_database() and data_type in ('DOUBLE', 'FLOAT')"
        ).fetchall()
        assert len(columns) > 200
        return [
            f"{relation}.{column}"
            for relation, column in columns
            if con.execute(f"select 1 from {relation} where not isfinite({column}) limit 1").fetchall()
        ]


@pytest.mark.parametrize("unit", swept(zip(["MW", "kW", "W"]), 1))
def test_no_table_holds_what_is_no_number(world: World, unit: str) -> None:
    quarter = timedelta(minutes=15)
    one = {"kW": "1", "MW": "0.001", "W": "1000"}[unit]
    sent = {flow: series([*SPELT, one, one], unit, "PT15M", MIDNIGHT, quarter) for flow in FLOWS}
    land(world, "day", "2026-11-10", {**sent, "soc": series([*SPELT, "50"], "%", "PT15M", MIDNIGHT, quarter)})
    assert not_finite(world) == []
    counted = world.sql("select distinct unreadable_buckets, over_limit_buckets from core.series where metric <> 'soc'")
    # a flow of 1.7e308 W is one of 1.7e305 kW: a number, and over every limit
    assert counted.rows() == [(8, 0) if unit == "MW" else (6, 2)]
    (row,) = world.sql("from marts.daily_energy").rows(named=True)
    assert [row[f"{name}_kwh"] for name in ("generation", "grid_import", "used_total")] == pytest.approx(
        [0.5, 0.5, 0.5]
    )
    assert world.sql("select distinct rule from core.finding where rule = 'unreadable_point'").height == 1


def test_what_is_null_all_day_is_null_in_every_sum(world: World) -> None:
    nulls = series(["null"] * 96, "kW", "PT15M", MIDNIGHT, timedelta(minutes=15))
    land(world, "day", "2026-11-10", {**dict.fromkeys(FLOWS, nulls), "soc": nulls.replace('"kW"', '"%"')})
    assert not_finite(world) == []
    for relation in ("core.day_energy", "marts.daily_energy", "marts.monthly_energy", "marts.fleet_daily"):
        (row,) = world.sql(f"from {relation}").rows(named=True)
        held = {name: value for name, value in row.items() if name.endswith(("_kwh", "_kw", "_ratio", "_pct"))}
        assert held
        assert set(held.values()) == {None}, relation
    (row,) = world.sql("from marts.daily_energy").rows(named=True)
    assert (row["generation_coverage"], row["attributed_coverage"], row["is_complete"]) == (0, 0, False)


@pytest.mark.parametrize("unit", swept(zip(["MWh", "kWh"]), 1))
def test_no_reported_day_holds_what_is_no_number(world: World, unit: str) -> None:
    first = datetime(2026, 10, 31, 23, tzinfo=UTC)
    values = [*SPELT, "1" if unit == "kWh" else "0.001"]
    land(world, "month", "2026-11", {"import": series(values, unit, "P1D", first, timedelta(days=1))})
    assert not_finite(world) == []
    assert world.sql("select grid_import_kwh from core.reported_day").rows() == [(1.0,)]
    assert world.sql("select grid_import_reported_kwh from marts.monthly_energy").item() == 1.0
