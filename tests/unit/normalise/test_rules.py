"""The rules of validation: a case that fires, one that just does not, and silence on clean data."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from hem_etl.local_day import Interval
from hem_etl.normalise import Body, Thresholds, day_energy, judge, keep_vanished, quarter_hours, read_days
from hem_etl.normalise.rules import STRUCTURE
from hem_etl.simulator import make_fleet
from hem_etl.simulator.bodies import day_body as simulated
from hem_etl.simulator.homes import Quirks
from hem_etl.vocabulary import Vendor

from .bodies import NAMES, day_body, full, series, stamps, unavailable
from .reference import WIRE

LIMITS = Thresholds(spike_kw=15, stale_buckets=6, night_generation_kw=0.05, simultaneous_kw=0.2)
DAY = "2026-01-10"
"""24 hours, 96 quarter hours in Berlin; its midnight is 23:00 UTC."""
OMIT = object()


def findings(days, tolerance=0.02) -> pl.DataFrame:
    systems = days.days["system_id"].unique()
    return judge(days, day_energy(days, quarter_hours(days)), LIMITS, dict.fromkeys(systems, tolerance))


def judged(timeseries, day=DAY, tolerance=0.02) -> dict[tuple[str | None, str], str]:
    """(metric, rule) → evidence of one day; `timeseries` by metric or name on the wire."""
    names = {metric: name for name, metric in WIRE.items()}
    days = read_days([day_body({names.get(m, m): s for m, s in timeseries.items()}, day)], over_limit_kw=50.0)
    found = findings(days, tolerance)
    return {(metric, rule): text for metric, rule, text in found.select("metric", "rule", "evidence").iter_rows()}


def course(changes=(), at=0, base=0.5, **more):
    """A day of a flow that moves a little around `base`, with `changes` put in from bucket `at` on."""
    values = [round(base + 0.01 * (n % 5), 3) for n in range(96)]
    values[at : at + len(changes)] = changes
    return series([(t, v) for t, v in zip(stamps(DAY), values, strict=True) if v is not OMIT], **more)


def balanced(**changes):
    """Six flows of 1 kW and 0 that balance, but for the given ones."""
    values = dict.fromkeys(WIRE.values(), 0.0) | {"generation": 1.0, "consumption": 1.0} | changes
    return {metric: full(value, day=DAY) for metric, value in values.items() if metric != "soc" and value is not None}


def points(*pairs, day="2026-03-29", zone="Europe/Berlin"):
    """A day with these points at its end."""
    return series([(t, 0.5 + 0.01 * (n % 5)) for n, t in enumerate(stamps(day, zone))] + list(pairs), zone=zone)


FLAT, SET_POINT = [0.7] * 6, [2.0] * 48
CASES = [
    # rule, metric, what fires, what just does not
    ("gap", "consumption", course([OMIT], 40), course([None], 40)),
    ("gap", "soc", course([OMIT], 40, unit="%"), course([None], 40, unit="%")),
    ("negative", "generation", course([-0.0011], 40), course([-0.001], 40)),
    ("over_limit", "consumption", course([50.1], 40), course([50.0], 40)),
    ("over_limit", "grid_import", course([-50.1], 40), course([-50.0], 40)),
    ("spike", "consumption", course([15.6], 40), course([15.5], 40)),
    ("spike", "generation", course([0.5, None, None, 30, 0.5], 40), course([0, 10, 36, 20, 5], 40)),
    ("spike", "grid_export", course([17.0], 2), course([17.0], 1)),
    ("stale_nonzero", "consumption", course(FLAT, 40), course(FLAT[1:], 40)),
    ("stale_nonzero", "grid_import", course(FLAT, 90), course([0.7] * 3 + [None] + [0.7] * 3, 40)),
    ("stale_nonzero", "consumption", course(FLAT, 0), course([0.7] * 3 + [OMIT] + [0.7] * 3, 40)),
    ("stale_nonzero", "consumption", course(FLAT, 40), course([0.0] * 6, 40)),
    ("stale_nonzero", "generation", course([*FLAT, 0.8], 40), course(FLAT, 40)),
    ("stale_nonzero", "grid_export", course([*FLAT, 0.8], 40), course(FLAT, 40)),
    ("stale_nonzero", "battery_charge", course([2.0] * 49, 40), course(SET_POINT, 40)),
    ("stale_nonzero", "battery_discharge", course([2.0] * 49, 40), course(SET_POINT, 40)),
    ("stale_nonzero", "generation", full(0.7, day=DAY), course([2.0] * 48, 20)),
    ("stale_nonzero", "generation", course([*FLAT, 0.8], 40), course([-0.006] * 40, 0)),
    ("zero_flatline", "consumption", full(0, day=DAY), course([0.0] * 95, 0)),
    ("zero_flatline", "consumption", full(0, day=DAY), course([0.0] * 95 + [None], 0)),
    ("suspect_zero", "consumption", course([0], 40), course([0, 0], 40)),
    ("suspect_zero", "generation", course([0.3, 0, 0.3, 1.4], 40), course([0.3, 0, 0.3, 1.5], 40)),
    ("suspect_zero", "consumption", course([0], 40), course([0, None], 40)),
    ("night_generation", "generation", course([0.06], 0, base=0), full(0.05, day=DAY)),
    ("soc_range", "soc", course([100.1], 40, base=50, unit="%"), course([100.0], 40, base=50, unit="%")),
    ("soc_range", "soc", course([-0.1], 40, base=50, unit="%"), course([0.0], 40, base=50, unit="%")),
]


@pytest.mark.parametrize(("rule", "metric", "fires", "silent"), CASES)
def test_a_rule_fires_beyond_its_limit_and_is_silent_on_it(rule, metric, fires, silent) -> None:
    assert (metric, rule) in judged({metric: fires})
    assert (metric, rule) not in judged({metric: silent})


@pytest.mark.parametrize("metric", ["grid_import", "grid_export", "battery_charge", "battery_discharge"])
def test_a_battery_may_honestly_take_a_flow_to_zero_for_one_bucket(metric) -> None:
    assert (metric, "suspect_zero") not in judged({metric: course([0], 40)})


@pytest.mark.parametrize(
    ("flows", "fires"),
    [
        (balanced(generation=0.0, consumption=0.0), True),
        (balanced(generation=0.0, consumption=0.0, battery_charge=None, battery_discharge=None), True),
        (balanced(generation=0.0, consumption=0.0, battery_charge=0.1), False),
        (balanced(generation=0.0, consumption=0.0) | {"battery_charge": full(None, day=DAY)}, False),
        (balanced(generation=0.0, consumption=0.0, grid_import=None), False),
        ({"generation": full(0, day=DAY)}, False),
    ],
)
def test_zeros_everywhere_at_once_are_suspect(flows, fires) -> None:
    assert ((None, "suspect_zero") in judged(flows)) is fires


@pytest.mark.parametrize(
    ("at", "minutes", "fires"),
    [(0, 15, True), (11, 15, True), (12, 15, False), (91, 15, False), (92, 15, True), (2, 60, True), (1, 120, False)],
)
def test_the_night_is_from_23_to_3_local_time_and_a_bucket_lies_in_it_whole(at, minutes, fires) -> None:
    values = [(t, 0.06 if n == at else 0) for n, t in enumerate(stamps(DAY, minutes=minutes))]
    found = judged({"generation": series(values, resolution=f"PT{minutes}M")})
    assert (("generation", "night_generation") in found) is fires


@pytest.mark.parametrize(
    ("generation", "tolerance", "evidence"),
    [
        (1.0204, 0.02, None),
        (1.021, 0.02, "warn: ratio 0.021; sources 24.504 kWh, sinks 24.0 kWh; tolerance: 0.02"),
        (1.111, 0.02, "warn: ratio 0.1; sources 26.664 kWh, sinks 24.0 kWh; tolerance: 0.02"),
        (1.112, 0.02, "fail: ratio 0.101; sources 26.688 kWh, sinks 24.0 kWh; tolerance: 0.02"),
        (1.112, 0.2, None),
    ],
)
def test_a_day_that_does_not_balance_warns_up_to_a_tenth_and_then_fails(generation, tolerance, evidence) -> None:
    assert judged(balanced(generation=generation), tolerance=tolerance).get((None, "balance")) == evidence


def test_next_to_nothing_has_no_balance() -> None:
    assert (None, "balance") not in judged(balanced(generation=0.002, consumption=0.001))


@pytest.mark.parametrize(("one", "other"), [("grid_import", "grid_export"), ("battery_charge", "battery_discharge")])
def test_both_directions_at_once_are_told_of_the_first(one, other) -> None:
    both = {one: course([0.3], 40, base=0), other: course([0.21], 40, base=0)}
    assert judged(both)[one, "simultaneous"] == (
        f"buckets: 1; most: {one} 0.3 kW and {other} 0.21 kW at 2026-01-10T09:00:00Z; limit: 0.2 kW"
    )
    assert (one, "simultaneous") not in judged({**both, other: course([0.2], 40, base=0)})
    assert (one, "simultaneous") not in judged({one: full(1.0, day=DAY, minutes=60), other: full(1.0, day=DAY)})


@pytest.mark.parametrize(
    ("rule", "sent", "evidence"),
    [
        ("duplicate_bucket", points(("2026-03-29T12:00:00+02:00", 1)), "points: 1; first: '2026-03-29T12:00:00+02:00'"),
        ("off_grid", points(("2026-03-29T12:07:00+02:00", 1)), "points: 1; first: '2026-03-29T12:07:00+02:00'"),
        (
            "outside_day",
            points(("2026-03-30T00:15:00+02:00", 1), ("2026-03-30T00:00:00+02:00", 1)),
            "points: 2; first: '2026-03-30T00:00:00+02:00'",
        ),
        ("offset_mismatch", points(("2026-03-29T11:00:00+01:00", 1)), "points: 1; first: '2026-03-29T11:00:00+01:00'"),
        ("phantom_bucket", points(("2026-03-29T02:30:00+01:00", 1)), "points: 1; first: '2026-03-29T02:30:00+01:00'"),
    ],
)
def test_broken_structure_is_told_with_the_earliest_stamp_as_it_was_sent(rule, sent, evidence) -> None:
    assert judged({"generation": sent}, "2026-03-29")["generation", rule] == evidence
    assert ("generation", rule) not in judged({"generation": points()}, "2026-03-29")


@pytest.mark.parametrize(
    ("zone", "day", "stamp", "is_phantom"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-29T02:00:00+01:00", True),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T02:45:00+01:00", True),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T03:00:00+02:00", False),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T01:00:00Z", False),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T02:30:00+02:00", True),  # 01:30 of the clock before the change
        ("Europe/Berlin", "2026-10-25", "2026-10-25T02:30:00+02:00", False),
        ("Africa/Cairo", "2026-04-24", "2026-04-24T00:30:00+02:00", True),  # the skipped hour is before the day's first
        ("Australia/Lord_Howe", "2025-10-05", "2025-10-05T02:15:00+10:30", True),
        ("Australia/Lord_Howe", "2025-10-05", "2025-10-05T02:30:00+11:00", False),
    ],
)
def test_a_wall_clock_time_that_no_clock_showed_is_a_phantom(zone, day, stamp, is_phantom) -> None:
    found = judged({"generation": points((stamp, 1), day=day, zone=zone)}, day)
    assert (("generation", "phantom_bucket") in found) is is_phantom


def test_structure_is_an_error_and_the_rest_a_warning() -> None:
    sent = points(("2026-03-29T02:30:00+01:00", 1), ("2026-03-29T12:07:00+02:00", -1), ("2026-03-30T00:00:00+02:00", 1))
    days = read_days(
        [day_body({"consumption": sent, "import": points(("2026-03-29T12:00:00+02:00", 99))}, "2026-03-29")],
        over_limit_kw=50.0,
    )
    severities = dict(findings(days).select("rule", "severity").iter_rows())
    assert severities.pop("over_limit") == "warning"
    assert severities == dict.fromkeys(STRUCTURE, "error")


def test_the_evidence_of_a_gap_is_its_longest_stretch() -> None:
    at = {10: [OMIT], 40: [OMIT, OMIT, None, OMIT]}
    values = [1 + n % 3 for n in range(96)]
    for begin, changes in at.items():
        values[begin : begin + len(changes)] = changes
    sent = series([(t, v) for t, v in zip(stamps(DAY), values, strict=True) if v is not OMIT])
    assert judged({"generation": sent})["generation", "gap"] == (
        "buckets: 4 of 96 not sent; longest without a valid value: 4 from 2026-01-10T09:00:00Z"
    )
    nothing = judged({"generation": series([])})["generation", "gap"]
    assert nothing == "buckets: 96 of 96 not sent; longest without a valid value: 96 from 2026-01-09T23:00:00Z"


def test_evidence_names_the_worst_value_and_when() -> None:
    found = judged({"generation": course([-0.5, 30, -3, 99], 40), "consumption": course([*FLAT, 0.2, *FLAT, 0.7], 40)})
    assert found["generation", "negative"] == ("buckets: 2; lowest: -3.0 kW at 2026-01-10T09:30:00Z; limit: -0.001 kW")
    assert found["generation", "over_limit"] == "buckets: 1; largest: 99.0 kW at 2026-01-10T09:45:00Z; limit: 50 kW"
    assert found["consumption", "stale_nonzero"] == "runs: 2; longest: 7 × 0.7 kW from 2026-01-10T10:45:00Z; limit: 6"


def test_text_from_outside_is_shown_safely() -> None:
    sent = series([("2026-03-29T12:00:00+02:00", 1), ("2026-03-30 00:00:00+0200", 1)])
    assert "\n" not in judged({"generation": sent}, "2026-03-29")["generation", "outside_day"]


def test_a_kept_series_is_judged_as_it_is_held() -> None:
    """Its counts are those of the body that brought it; the stamps of the new body say nothing about them."""
    twice = ("2026-03-29T12:00:00+02:00", 1)
    held = read_days([day_body({"consumption": points(twice)})], over_limit_kw=50.0)
    new = read_days(
        [day_body({"consumption": series([(twice[0], None)] * 3), "soc": full(40, unit="%")})], over_limit_kw=50.0
    )
    days = keep_vanished(new, held.readings, held.series)
    found = findings(days).filter(metric="consumption")
    assert found.select("rule", "evidence").rows() == [("duplicate_bucket", "points: 1")]


def test_a_day_without_readings_and_one_that_cannot_be_read_have_no_findings() -> None:
    nothing = day_body({name: unavailable() for name in NAMES}, DAY, zone="Europe/Berlin")
    broken = day_body(b"<html>", DAY, system_id="s2")
    assert findings(read_days([nothing, broken], over_limit_kw=50.0)).is_empty()


def test_findings_do_not_depend_on_the_batch() -> None:
    bodies = [
        day_body({"generation": course([-0.5, OMIT, 30, 99], 40), "import": course(FLAT, n)}, DAY, system_id=f"s{n}")
        for n in range(4)
    ]
    together = findings(read_days(bodies, over_limit_kw=50.0))
    alone = pl.concat(findings(read_days([body], over_limit_kw=50.0)) for body in bodies)
    assert together.equals(alone)
    assert together["system_id"].n_unique() == 4


CLOCK_CHANGES_AND_SEASONS = [
    *((2026, 1, 15), (2026, 3, 8), (2026, 3, 29), (2026, 4, 5), (2026, 4, 24), (2026, 6, 21), (2026, 7, 1)),
    *((2026, 9, 6), (2026, 9, 27), (2026, 10, 4), (2026, 10, 25), (2026, 10, 29), (2026, 11, 1), (2026, 12, 21)),
]


def test_clean_homes_of_all_vendors_and_zones_give_no_finding_in_504_days() -> None:
    """14 days, among them both clock changes of each zone, of 36 homes without any bad habit."""
    later = datetime(2027, 6, 1, tzinfo=UTC)
    fleet = make_fleet(36, today=date(2026, 11, 22)).homes
    homes = [replace(h, quirks=Quirks(), installed_on=date(2020, 1, 1), switches_on=None) for h in fleet]
    bodies = [
        Body(h.system_id, Interval.of_day(d), f'{{"timeseries":{simulated(h, d, later)}}}'.encode(), later, h.timezone)
        for h in homes
        for d in (date(*parts) for parts in CLOCK_CHANGES_AND_SEASONS)
    ]
    days = read_days(bodies, over_limit_kw=50.0)
    assert (len(bodies), {h.vendor for h in homes}) == (504, set(Vendor))
    assert days.days["day_hours"].n_unique() == 5
    assert Counter(days.findings["rule"]) == Counter()
    assert Counter(findings(days)["rule"]) == Counter()
