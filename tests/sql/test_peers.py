"""marts.peer_comparison against its definition, written down once more in Python, on fleets made up at random."""

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

import duckdb
import polars as pl
import pytest

from hem_etl.warehouse import Writer
from hem_etl.warehouse.models import build, create_tables, load_models

NEWEST = date(2026, 6, 10)
Sunny = dict[tuple[str, date], tuple[float, float]]
"""(home, day) → kWh, minutes of the day that generation covers."""


def made_up(seed: int) -> tuple[dict[str, tuple[str | None, str]], Sunny]:
    """Homes (vendor, zone) and what they generated, on days before, in and after what is compared."""
    dice = random.Random(seed)
    homes: dict[str, tuple[str | None, str]] = {f"one of many {n}": ("SMA", "UTC") for n in range(12)}
    homes |= {
        f"other {n}": (dice.choice(["SMA", "TESLA", None]), dice.choice(["UTC", "Asia/Kolkata"])) for n in range(8)
    }
    size = {home: dice.uniform(0.5, 3) for home in homes}
    fell = set(dice.sample(sorted(homes)[:12], 3))
    days: Sunny = {}
    for back in range(-2, 120):
        day = NEWEST - timedelta(days=back)
        weather = dice.choice([0.0, 0.1, 2.0, 4.0, 6.0, 9.0, 12.0, 15.0])
        for home in homes:
            if dice.random() < 0.15:
                continue
            weak = 0.5 if home in fell and back < 28 else 1.0
            kwh = round(weather * size[home] * weak * dice.uniform(0.95, 1.05), 3)
            days[home, day] = kwh, dice.choice([1440.0] * 6 + [1412.0, 1411.0, 700.0])
    return homes, days


def as_defined(homes: dict[str, tuple[str | None, str]], days: Sunny) -> dict[str, dict[str, Any]]:
    groups = defaultdict(list)
    for (home, day), (kwh, minutes) in days.items():
        if NEWEST - timedelta(days=112) < day <= NEWEST and minutes / 1440 >= 0.98:
            groups[homes[home], day].append((home, kwh))
    ratios: dict[str, list[tuple[bool, int, float]]] = defaultdict(list)
    for (_, day), members in groups.items():
        middle = median(kwh for _, kwh in members)
        if len(members) >= 4 and middle > 0.5:
            for home, kwh in members:
                ratios[home].append((day > NEWEST - timedelta(days=28), len(members) - 1, kwh / middle))
    expected = {}
    for home, compared in ratios.items():
        recent = [ratio for is_recent, _, ratio in compared if is_recent]
        past = [ratio for is_recent, _, ratio in compared if not is_recent]
        enough = len(recent) >= 10 and len(past) >= 10
        change = median(recent) / median(past) if enough else None
        expected[home] = {
            "vendor": homes[home][0],
            "timezone": homes[home][1],
            "peers": min(peers for _, peers, _ in compared),
            "recent_days": len(recent),
            "past_days": len(past),
            "recent_ratio": median(recent) if recent else None,
            "past_ratio": median(past) if past else None,
            "change_ratio": change,
            "is_behind": None if change is None else change < 0.8,
        }
    return expected


def in_the_mart(homes: dict[str, tuple[str | None, str]], days: Sunny) -> dict[str, dict[str, Any]]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        create_tables(con, load_models())
        con.execute("insert into core.setting values ('complete_coverage', 0.9)")
        writer = Writer(con)
        writer.append(
            "core.system",
            pl.DataFrame(
                [(home, *of) for home, of in homes.items()], ["system_id", "vendor", "timezone"], orient="row"
            ),
        )
        for zone in ("UTC", "Asia/Kolkata"):
            con.execute(
                "insert into core.local_day select ?, day, day, day + interval 1 day, 24 from (select "
                "unnest(generate_series(date '2026-01-01', date '2026-07-01', interval 1 day))::date as day)",
                [zone],
            )
        names = ["system_id", "timezone", "day", "generation_kwh", "valid_minutes"]
        held = pl.DataFrame([(home, homes[home][1], day, *of) for (home, day), of in days.items()], names, orient="row")
        seen = pl.lit(datetime(2026, 6, 11, 12))
        writer.append(
            "core.load",
            held.select(
                "system_id",
                "timezone",
                "day",
                interval=pl.col("day").dt.to_string("%Y-%m-%d"),
                interval_kind=pl.lit("day"),
                outcome=pl.lit("loaded"),
                ends_at_utc=pl.col("day").cast(pl.Datetime) + timedelta(days=1),
                fetched_at_utc=seen,
                loaded_at_utc=seen,
            ),
        )
        writer.append("core.day_energy", held.select("system_id", "day", "generation_kwh"))
        known = pl.lit(True)
        of_generation = held.select("system_id", "day", "valid_minutes", metric=pl.lit("generation"))
        writer.append("core.series", of_generation.with_columns(is_known=known, is_available=known))
        build(con, load_models())
        found = con.execute("select * from marts.peer_comparison")
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {row.pop("system_id"): row for row in rows}


@pytest.mark.parametrize("seed", range(3))
def test_a_home_is_compared_with_its_peers_and_its_own_past_as_defined(seed: int) -> None:
    homes, days = made_up(seed)
    expected = as_defined(homes, days)
    found = in_the_mart(homes, days)

    assert found.keys() == expected.keys()
    for home, row in expected.items():
        assert found[home] == {
            name: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for name, value in row.items()
        }, home
    behind = [row["is_behind"] for row in found.values()]
    assert True in behind
    assert False in behind
