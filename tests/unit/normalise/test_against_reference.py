"""Whatever is sent, in whatever zone: the frames hold what a slow reader with integers and zoneinfo works out."""

import json
from datetime import UTC, timedelta
from math import isclose

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hem_etl.local_day import Interval
from hem_etl.normalise import Body, Days, day_energy, day_totals, quarter_hours, read_days, read_months
from hem_etl.normalise.frames import METRIC_COLUMNS

from . import reference
from .bodies import LATER, changes, random_timeseries

LIMIT = 50.0
STEPS = (5, 10, 15, 30, 60, 1)
quick = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def sent_days(draw):
    """(system, day, zone, fetched_at, timeseries)."""
    zone, day = draw(st.sampled_from(changes()))
    day += timedelta(days=draw(st.sampled_from((-1, 0, 0, 0, 0, 1))))
    common = draw(st.sampled_from((*STEPS, None)))
    sent = draw(st.lists(st.sampled_from(tuple(reference.WIRE)), min_size=1, unique=True))
    if draw(st.booleans()):
        sent = list(reference.WIRE)
    steps = {name: common or draw(st.sampled_from(STEPS)) for name in sent}
    timeseries = random_timeseries(draw(st.integers(0, 2**32)), day, zone, steps)
    _, end = reference.bounds(day, zone)
    minutes = draw(st.sampled_from((10_000, 10_000, 0, -1, -61, -400, -2_000)))
    return f"s{draw(st.integers(0, 9))}", day, zone, end + timedelta(minutes=minutes), timeseries


def body_of(sent) -> Body:
    system_id, day, _, fetched_at, timeseries = sent
    return Body(system_id, Interval.of_day(day), json.dumps({"timeseries": timeseries}).encode(), fetched_at, None)


def distinct(batch):
    return list({(system_id, day): each for each in batch for system_id, day in [each[:2]]}.values())


def same(found, expected) -> bool:
    if found is None or expected is None:
        return found is expected
    return isclose(found, float(expected), rel_tol=1e-9, abs_tol=1e-12)


@settings(quick, max_examples=40)
@given(st.lists(sent_days(), min_size=1, max_size=2).map(distinct))
def test_readings_counts_quarter_hours_and_totals_equal_the_slow_reader(batch) -> None:
    days = read_days([body_of(each) for each in batch], over_limit_kw=LIMIT)
    quarters = quarter_hours(days)
    totals = day_totals(days, day_energy(days, quarters))
    for system_id, day, zone, fetched_at, timeseries in batch:
        truth = reference.read_day(timeseries, day, zone, fetched_at, LIMIT)

        def of(frame, system_id=system_id, day=day):
            rows = frame.rows(named=True)
            return [row for row in rows if (row["system_id"], row["day"]) == (system_id, day)]

        rows = {row["start_utc"].replace(tzinfo=UTC): row for row in of(days.readings)}
        expected_rows = reference.readings(truth)
        assert rows.keys() == expected_rows.keys()
        for at, values in expected_rows.items():
            local = at.astimezone(reference.ZoneInfo(zone))
            assert rows[at]["start_local"] == local.replace(tzinfo=None, fold=0)
            assert rows[at]["utc_offset_minutes"] == local.utcoffset() // timedelta(minutes=1)
            for metric, column in METRIC_COLUMNS.items():
                assert same(rows[at][column], values.get(metric)), (at, metric)

        for row in of(days.series):
            series = truth.series.get(row["metric"])
            assert row["is_available"] == (series is not None)
            if series is None:
                assert row["expected_buckets"] is None
                continue
            for name, count in series.counts.items():
                assert row[f"{name}_buckets"] == count, (row["metric"], name)
            assert row["valid_minutes"] == series.valid_minutes

        found = {row["start_utc"].replace(tzinfo=UTC): row for row in of(quarters)}
        expected_quarters = reference.quarters(truth)
        assert found.keys() == expected_quarters.keys()
        for at, expected in expected_quarters.items():
            for flow in reference.FLOWS:
                minutes, kwh = expected[f"{flow}_minutes"], expected[f"{flow}_kwh"]
                assert same(found[at][f"{flow}_minutes"], minutes), (at, flow)
                assert same(found[at][f"{flow}_kwh"], kwh), (at, flow)
                assert same(found[at][f"{flow}_kw"], None if kwh is None else kwh / minutes * 60), (at, flow)
            assert same(found[at]["soc_pct"], expected["soc"]), at
            assert same(found[at]["balance_sources_kwh"], expected["sources"]), at
            assert same(found[at]["balance_sinks_kwh"], expected["sinks"]), at

        (total,) = of(totals)
        for name, value in reference.totals(truth).items():
            assert same(total[name], value), name


@settings(quick, max_examples=10)
@given(st.lists(sent_days(), min_size=2, max_size=4).map(distinct), st.randoms(use_true_random=False))
def test_no_number_changes_with_the_split_of_the_batch_or_its_order(batch, random) -> None:
    bodies = [body_of(each) for each in batch]
    together = read_days(bodies, over_limit_kw=LIMIT)
    random.shuffle(bodies)
    apart = [read_days([body], over_limit_kw=LIMIT) for body in bodies]
    for name in ("readings", "series", "findings", "days"):
        alone = pl.concat([getattr(each, name) for each in apart])
        whole = getattr(together, name)
        keys = [key for key in ("day", "system_id", "start_utc", "metric", "rule") if key in whole.columns]
        assert_frame_equal(alone.sort(keys, maintain_order=True), whole.sort(keys, maintain_order=True))
    alone = pl.concat([quarter_hours(each) for each in apart])
    assert_frame_equal(alone.sort("day", "system_id", "start_utc"), quarter_hours(together), check_exact=True)
    assert isinstance(together, Days)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(("kW", "PT15M", "%")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("t", "v", "mode", "x")), inner, max_size=3)
    ),
    max_leaves=6,
)
STAMP = st.sampled_from(("2026-03-29T12:00:00+02:00", "2026-03-29T10:00:00Z", "0000-01-01T00:00:00+23:59")) | JSON
POINT = st.fixed_dictionaries({"t": STAMP, "v": st.just(1.5) | JSON}) | JSON
SAMPLING = st.just({"mode": "bucketed", "resolution": "PT15M"}) | JSON
SERIES = st.fixed_dictionaries(
    {"isAvailable": st.just(True) | JSON, "sampling": SAMPLING, "data": st.lists(POINT, max_size=5) | JSON},
    optional={
        "unit": st.just("kW") | JSON,
        "timezone": st.sampled_from(("Europe/Berlin", "Europe", "../x", "\0", "Nowhere")) | JSON,
        "reason": JSON,
    },
)


@settings(quick, max_examples=100)
@given(
    st.dictionaries(st.sampled_from(("generation", "import", "soc", "SoC", "new", "grid_import")), SERIES | JSON) | JSON
)
@pytest.mark.slow
def test_no_json_makes_reading_fail_or_a_count_wrong(timeseries) -> None:
    raw = json.dumps({"timeseries": timeseries}).encode()
    days = read_days([Body("s", Interval.parse("2026-03-29"), raw, LATER, None)], over_limit_kw=LIMIT)
    day_totals(days, day_energy(days, quarter_hours(days)))
    read_months([Body("s", Interval.parse("2026-03"), raw, LATER, None)])
    counted = days.series.filter(pl.col("expected_buckets").is_not_null())
    parts = pl.sum_horizontal(*(f"{part}_buckets" for part in ("valid", "over_limit", "null", "unreadable", "missing")))
    assert counted.filter(parts != pl.col("expected_buckets")).is_empty()
    assert counted.filter(pl.col("missing_buckets") < 0).is_empty()
    infinite = pl.any_horizontal(~pl.col(column).is_finite() for column in METRIC_COLUMNS.values())
    assert days.readings.filter(infinite).is_empty()
