"""Preparing is pure: bodies in, frames out, in this process or another."""

import pickle
from datetime import date

import polars as pl
from unit.normalise.bodies import day_body, full, series, stamps

from hem_etl import normalise
from hem_etl.normalise import Body, Thresholds
from hem_etl.preparing.prepare import Judging, PreparedDays, prepare_days

JUDGING = Judging(
    over_limit_kw=1000,
    thresholds=Thresholds(spike_kw=100, stale_buckets=24, night_generation_kw=0.5, simultaneous_kw=0.5),
    balance_tolerance={"s1": 0.1, "s2": 0.1},
)
FRAMES = ("quarters", "energy", "findings", "outcomes")


def bodies() -> list[Body]:
    return [
        day_body({"generation": full(2.0), "consumption": full(1.0)}),
        day_body({"generation": full(1.0, day="2026-03-28")}, "2026-03-28"),
        day_body(b"<html>", system_id="s2"),
    ]


def frames_of(prepared: PreparedDays) -> list[pl.DataFrame]:
    return [prepared.days.readings, prepared.days.series, *(getattr(prepared, name) for name in FRAMES)]


def test_what_goes_to_another_process_and_what_comes_back_can_be_sent() -> None:
    sent_bodies, sent_judging = pickle.loads(pickle.dumps((bodies(), JUDGING)))
    here = prepare_days(bodies(), JUDGING)
    there = pickle.loads(pickle.dumps(prepare_days(sent_bodies, sent_judging)))
    assert all(one.equals(other) for one, other in zip(frames_of(here), frames_of(there), strict=True))


def test_a_body_that_cannot_be_read_is_an_outcome_and_nothing_else() -> None:
    prepared = prepare_days(bodies(), JUDGING)
    assert prepared.outcomes.select("system_id", "outcome").rows() == [
        ("s1", "loaded"),
        ("s1", "loaded"),
        ("s2", "unreadable"),
    ]
    for rows in (prepared.days.days, prepared.energy, prepared.quarters, prepared.findings):
        assert set(rows["system_id"]) == {"s1"}


def test_shards_come_to_what_all_bodies_at_once_do() -> None:
    one_by_one = [prepare_days([body], JUDGING) for body in bodies()]
    whole = prepare_days(bodies(), JUDGING)
    for number, rows in enumerate(frames_of(whole)):
        parts = pl.concat(frames_of(prepared)[number] for prepared in one_by_one)
        assert parts.sort(rows.columns).equals(rows.sort(rows.columns))


def test_ratios_of_days_prepared_one_by_one_are_the_same_to_the_last_bit() -> None:
    """21.5 of 24 hours: times 1/24 is another number than divided by 24."""
    day = "2026-03-28"
    sent = series([(t, 1.0) for t in stamps(day)[:86]])
    several = [day_body({"generation": sent}, day, system_id=name) for name in ("s1", "s2")]
    at_once = prepare_days(several, JUDGING)
    joined = PreparedDays.joined([prepare_days([body], JUDGING) for body in several])
    totals = [normalise.day_totals(prepared.days, prepared.energy) for prepared in (at_once, joined)]
    assert totals[0]["generation_coverage"].to_list() == [21.5 / 24] * 2
    assert totals[1].equals(totals[0])


def test_what_is_picked_of_some_days_is_all_there_is_of_them() -> None:
    keys = pl.DataFrame({"system_id": ["s1"], "day": [date(2026, 3, 28)]})
    picked = prepare_days(bodies(), JUDGING).only(keys)
    alone = prepare_days(bodies()[1:2], JUDGING)
    assert all(one.equals(other) for one, other in zip(frames_of(picked), frames_of(alone), strict=True))
