"""The bounds of the ratios are honest: nothing that the missing time can have held gives a ratio outside of them.

Homes are made up bucket by bucket, some of it is left out, and then the same home is read again with the holes filled
with anything that keeps to the limits which the bounds state: the settings, or the home's own highest power.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from small_warehouse import SETTINGS, made_of, mart

from hem_etl.local_day import Interval, day_bounds_utc
from hem_etl.normalise import Body

LATER = datetime(2030, 1, 1, tzinfo=UTC)
FLOWS = ("generation", "consumption", "import", "export", "charge", "discharge")
INPUTS = ("generation", "import", "export", "charge", "discharge")
RATIOS = ("self_consumption_ratio", "self_sufficiency_ratio")
SMALL = 1e-9
WISHES = ("the truth", "nothing", "all self-made", "all sold", "all bought", "all from the battery", "anything")

Bucket = dict[str, float]


def buckets_of(day: date, zone: str, minutes: int) -> list[datetime]:
    start, end = day_bounds_utc(day, ZoneInfo(zone))
    return [start + timedelta(minutes=n) for n in range(0, (end - start) // timedelta(minutes=1), minutes)]


def body(system_id: str, day: date, zone: str, minutes: int, known: list[Bucket]) -> Body:
    """What is not in a bucket is null, or not sent at all where the bucket is empty."""
    starts = [at.astimezone(ZoneInfo(zone)).isoformat() for at in buckets_of(day, zone, minutes)]
    timeseries = {
        flow: {
            "isAvailable": True,
            "unit": "kW",
            "sampling": {"mode": "bucketed", "resolution": f"PT{minutes}M"},
            "timezone": zone,
            "data": [{"t": t, "v": bucket.get(flow)} for t, bucket in zip(starts, known, strict=True) if bucket],
        }
        for flow in FLOWS
    }
    return Body(system_id, Interval.of_day(day), json.dumps({"timeseries": timeseries}).encode(), LATER, zone)


def true_bucket(draw: Random, scale: float, known: set[str]) -> Bucket:
    """Balanced. Bursts beyond the limits only where they are measured, so that the limits know of them."""
    sun, load = scale * draw.choice((0, 0, 4, 9)) * draw.random(), scale * 8 * draw.random()
    if draw.random() < 0.05 and "generation" in known:
        sun = scale * (10 + 15 * draw.random())
    if draw.random() < 0.05 and "consumption" in known:
        load = scale * (10 + 15 * draw.random())
    sun, load = round(sun, 6), round(load, 6)
    charge, discharge = draw.choice(
        ((0, 0), (round(scale * 3 * draw.random(), 6), 0), (0, round(scale * 3 * draw.random(), 6)))
    )
    grid = round(load + charge - sun - discharge, 6)
    return {
        "generation": sun,
        "consumption": load,
        "import": max(grid, 0),
        "export": max(-grid, 0),
        "charge": charge,
        "discharge": discharge,
    }


def known_flows(draw: Random, gappiness: float) -> set[str]:
    if draw.random() >= gappiness:
        return set(FLOWS)
    return draw.choice((set(), {flow for flow in FLOWS if draw.random() < 0.6}))


def made_load(bucket: Bucket) -> float:
    return bucket["generation"] + bucket["import"] + bucket["discharge"] - bucket["export"] - bucket["charge"]


def filled(known: Bucket, truth: Bucket, wish: str, draw: Random, most_made: float, most_used: float) -> Bucket:
    """The bucket with its holes filled as wished, if that keeps to the limits; with the truth otherwise."""
    if all(flow in known for flow in INPUTS):
        return truth | known
    guess = {
        "the truth": truth,
        "nothing": dict.fromkeys(INPUTS, 0.0),
        "all self-made": {"generation": most_made},
        "all sold": {"generation": most_made, "export": most_made},
        "all bought": {"import": most_used},
        "all from the battery": {"discharge": most_used},
        "anything": {flow: draw.choice((0.0, 1.0, draw.random())) * most_made for flow in INPUTS},
    }[wish]
    bucket = {flow: known.get(flow, guess.get(flow, 0.0)) for flow in INPUTS}
    for source in ("import", "discharge", "generation"):
        if source not in known:
            bucket[source] = max(0.0, min(bucket[source], bucket[source] - made_load(bucket) + most_used))
    for sink in ("export", "charge"):
        if sink not in known and made_load(bucket) > most_used:
            bucket[sink] += made_load(bucket) - most_used
    if made_load(bucket) > most_used + SMALL or bucket["generation"] > most_made + SMALL:
        return truth
    return {"consumption": known.get("consumption", max(made_load(bucket), 0.0)), **bucket}


def limits(known: list[Bucket]) -> tuple[float, float]:
    return (
        max(SETTINGS["gap_generation_kw"], *(bucket.get("generation", 0) for bucket in known)),
        max(SETTINGS["gap_consumption_kw"], *(bucket.get("consumption", 0) for bucket in known)),
    )


def homes_and_their_fills(draw: Random, days: dict[date, int], zone: str, homes: int) -> Iterator[Body]:
    """Systems `n` with holes and `n/<wish>` without. days: bucket length by day; only some are sent by `n`."""
    for home in range(homes):
        scale, gappiness = draw.choice((1, 1, 1, 0.001)), draw.choice((0, 0.02, 0.3))
        sent, truths = {}, {}
        for day, minutes in days.items():
            is_lost = len(days) > 1 and gappiness > 0 and draw.random() < 0.2
            known = [set() if is_lost else known_flows(draw, gappiness) for _ in buckets_of(day, zone, minutes)]
            truths[day] = [true_bucket(draw, scale, flows) for flows in known]
            sent[day] = [{flow: truth[flow] for flow in flows} for truth, flows in zip(truths[day], known, strict=True)]
        most = limits([bucket for day in days for bucket in sent[day]])
        for day, minutes in days.items():
            if any(sent[day]):
                yield body(f"{home}", day, zone, minutes, sent[day])
            for wish in WISHES:
                whole = [
                    filled(known, truth, wish, draw, *most) for known, truth in zip(sent[day], truths[day], strict=True)
                ]
                yield body(f"{home}/{wish}", day, zone, minutes, whole)


def assert_bounds(rows: list[dict]) -> tuple[int, int]:
    """Returns how many ratios were compared, and how many of them had holes."""
    by_system = {row["system_id"]: row for row in rows}
    compared = gaps = 0
    for system_id, row in by_system.items():
        wholes = {
            "self_consumption_ratio": row["used_solar_kwh"] + row["solar_to_battery_kwh"] + row["solar_to_grid_kwh"],
            "self_sufficiency_ratio": row["used_total_kwh"],
        }
        for ratio in RATIOS:
            value, low, high = row[ratio], row[f"{ratio}_low"], row[f"{ratio}_high"]
            assert (value is None) == (low is None) == (high is None) == (wholes[ratio] <= 0.05), (system_id, ratio)
            if value is None:
                continue
            assert -SMALL <= low <= value + SMALL, (system_id, ratio, low, value)
            assert value - SMALL <= high <= 1 + SMALL, (system_id, ratio, high, value)
            if row["attributed_coverage"] == 1:
                assert low == high == value, (system_id, ratio)
            for wish in WISHES if "/" not in system_id else ():
                other = by_system[f"{system_id}/{wish}"]
                assert other["attributed_coverage"] == 1
                compared += 1
                gaps += row["attributed_coverage"] < 1
                assert low - SMALL <= other[ratio] <= high + SMALL, (system_id, wish, ratio, low, other[ratio], high)
    return compared, gaps


@pytest.mark.parametrize("minutes", [5, 15, 60])
@pytest.mark.parametrize("seed", range(2))
def test_whatever_a_days_missing_time_held_its_ratios_are_within_their_bounds(minutes: int, seed: int) -> None:
    draw, day = Random(seed), date(2026, 3, 29)
    with made_of(list(homes_and_their_fills(draw, {day: minutes}, "Europe/Berlin", homes=6))) as con:
        compared, gaps = assert_bounds(mart(con, "marts.daily_energy").to_dicts())
    assert compared > 20
    assert gaps > 0


@pytest.mark.parametrize("seed", range(2))
def test_whatever_a_months_missing_time_held_its_ratios_are_within_their_bounds(seed: int) -> None:
    draw = Random(seed)
    days = {date(2026, 10, day): 15 if day == 7 else 60 for day in range(1, 32)}
    with made_of(list(homes_and_their_fills(draw, days, "Europe/Berlin", homes=2))) as con:
        compared, _ = assert_bounds(mart(con, "marts.monthly_energy").to_dicts())
    assert compared > 0
