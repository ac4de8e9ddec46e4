"""Reading days: one case per promise, small enough to check by eye."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hem_etl.local_day import Interval
from hem_etl.normalise import FINDING_SCHEMA, Body, FrameError, read_days
from hem_etl.normalise.envelopes import absence_of, minutes_of
from hem_etl.normalise.frames import gated
from hem_etl.vocabulary import WIRE_SPELLINGS

from .bodies import LATER, NAMES, day_body, encoded, full, series, stamps, unavailable

LIMIT = 50.0


def read(timeseries, day="2026-03-29", **more):
    return read_days([day_body(timeseries, day, **more)], over_limit_kw=LIMIT)


def naive(*parts):
    """As frames hold an instant or a wall-clock time."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


def facts(days, metric="generation"):
    return days.series.row(by_predicate=pl.col("metric") == metric, named=True)


def counts(days, metric="generation"):
    """Only what is not zero."""
    return {name[:-8]: count for name, count in facts(days, metric).items() if name.endswith("_buckets") and count}


def outcome(days):
    return days.days.select("outcome", "detail").row(0)


def rules(days):
    return days.findings.select("metric", "rule", "severity").rows()


@pytest.mark.parametrize(
    ("zone", "day", "hours", "five", "fifteen"),
    [
        ("Europe/Berlin", "2026-01-10", 24.0, 288, 96),
        ("Europe/Berlin", "2025-03-30", 23.0, 276, 92),
        ("Europe/Berlin", "2025-10-26", 25.0, 300, 100),
        ("Australia/Lord_Howe", "2025-10-05", 23.5, 282, 94),
        ("Australia/Lord_Howe", "2025-04-06", 24.5, 294, 98),
        ("Africa/Cairo", "2026-04-24", 23.0, 276, 92),
        ("America/Havana", "2025-11-02", 25.0, 300, 100),
        ("Asia/Kathmandu", "2026-03-29", 24.0, 288, 96),
    ],
)
def test_a_day_has_as_many_buckets_as_its_zone_gives_it(zone, day, hours, five, fifteen) -> None:
    days = read({"generation": full(day=day, zone=zone, minutes=5), "soc": full(day=day, zone=zone, unit="%")}, day)
    assert days.days["day_hours"].to_list() == [hours]
    assert counts(days) == {"expected": five, "sent": five, "valid": five}
    assert counts(days, "soc") == {"expected": fifteen, "sent": fifteen, "valid": fifteen}
    assert facts(days)["valid_minutes"] == 60 * hours
    assert days.readings["start_local"].dt.date().unique().to_list() == [date.fromisoformat(day)]
    assert days.readings["soc_pct"].null_count() == five - fifteen


def test_the_day_that_begins_at_one_o_clock_begins_there() -> None:
    days = read({"generation": full(day="2026-04-24", zone="Africa/Cairo")}, "2026-04-24")
    assert days.readings["start_local"][0] == naive(2026, 4, 24, 1)
    assert days.readings["start_utc"][0] == naive(2026, 4, 23, 22)


def test_the_repeated_hour_is_two_rows_with_two_offsets() -> None:
    days = read({"generation": full(day="2025-10-26", minutes=60)}, "2025-10-26")
    twice = days.readings.filter(pl.col("start_local") == naive(2025, 10, 26, 2))
    assert twice["utc_offset_minutes"].to_list() == [120, 60]


def test_the_last_bucket_cut_by_the_end_of_the_day_counts_its_real_length() -> None:
    days = read({"generation": full(day="2025-10-05", zone="Australia/Lord_Howe", minutes=60)}, "2025-10-05")
    assert counts(days) == {"expected": 24, "sent": 24, "valid": 24}
    assert facts(days)["valid_minutes"] == 23.5 * 60


@pytest.mark.parametrize("spelling", ["soc", "SoC", "stateOfCharge", "batterySoc", "batteryLevel"])
@pytest.mark.parametrize("unit", ["%", "percent", "Percent", None])
def test_every_spelling_of_the_state_of_charge_is_taken(spelling, unit) -> None:
    days = read({spelling: full(55, unit=unit)})
    assert days.readings["soc_pct"].unique().to_list() == [55.0]
    assert facts(days, "soc")["unit"] == unit


@pytest.mark.parametrize("odd", [full(unit="fraction"), full(sampling=None), full(data="")])
def test_an_odd_state_of_charge_is_unavailable_with_its_reason_and_costs_no_flow(odd) -> None:
    days = read({"generation": full(), "soc": odd})
    assert outcome(days) == ("loaded", None)
    soc = facts(days, "soc")
    assert (soc["is_available"], soc["absence"]) == (False, "other")
    assert soc["reason"].startswith("cannot be read: ")
    assert facts(days)["valid_buckets"] > 0


def test_a_flow_may_have_a_second_spelling_and_keeps_its_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WIRE_SPELLINGS, "grid_import", ("import", "gridImport"))
    for spelling in WIRE_SPELLINGS["grid_import"]:
        (row,) = read({spelling: full(2.0)}).series.filter(metric="grid_import").to_dicts()
        assert (row["is_available"], row["valid_buckets"]) == (True, 92)


def test_of_two_spellings_the_first_wins_and_the_other_is_recorded_as_unknown() -> None:
    days = read({"batteryLevel": full(10, unit="%"), "SoC": full(20, unit="%")})
    assert days.readings["soc_pct"].unique().to_list() == [10.0]
    assert facts(days, "SoC")["is_known"] is False


@pytest.mark.parametrize(("unit", "value"), [("W", 1500), ("kW", 1.5), ("MW", 0.0015)])
def test_power_is_converted_to_kw_and_the_unit_kept_as_sent(unit, value) -> None:
    days = read({"generation": full(value, unit=unit)})
    assert days.readings["generation_kw"].unique().to_list() == [pytest.approx(1.5, rel=1e-12)]
    assert facts(days)["unit"] == unit


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<html>", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "timeseries"),
        (b'{"timeseries": []}', "timeseries"),
        (b"{}", "timeseries"),
        (encoded({"generation": full(unit="hp")}), "unknown unit 'hp'"),
        (encoded({"generation": full(unit=None)}), "unknown unit None"),
        (encoded({"generation": []}), "generation"),
        (encoded({"generation": {"isAvailable": "yes", "data": []}}), "generation"),
        (encoded({"generation": full(data={"t": 1})}), "generation"),
        (encoded({"generation": full(data="")}), "generation"),
        (encoded({"generation": full(sampling=None)}), "unreadable resolution None"),
        *(
            (encoded({"import": full(sampling={"resolution": text})}), "series 'import': unreadable resolution")
            for text in ("PT7M", "PT90S", "PT0M", "P1M", "15", "", "PT48H", "PT1.5H", "PT", "P", 15)
        ),
    ],
)
def test_a_body_that_cannot_be_read_without_guessing_is_unreadable_and_says_why(body, detail) -> None:
    days = read(body)
    assert outcome(days)[0] == "unreadable"
    assert detail in outcome(days)[1]
    assert days.readings.is_empty()
    assert days.series.is_empty()
    assert days.findings.is_empty()
    assert days.days["content_sha256"].to_list() == [None]


@pytest.mark.parametrize(
    ("duration", "minutes"),
    [("PT5M", 5), ("PT1H", 60), ("PT1H30M", 90), ("PT300S", 300 // 60), ("P1D", 1440), ("PT24H", 1440), ("PT90S", None)]
    + [(text, None) for text in ("PT", "P", "PT0S", "P1W", "pt5m", "5M", "PT-5M", "PT5M ", None)],
)
def test_durations_are_whole_minutes_or_nothing(duration, minutes) -> None:
    assert minutes_of(duration) == minutes


@pytest.mark.parametrize("timeseries", [{}, {"generation": unavailable(), "soc": unavailable()}, {"new": full()}])
def test_a_body_without_an_available_known_series_is_unavailable(timeseries) -> None:
    days = read(timeseries, zone="Europe/Berlin")
    assert outcome(days) == ("unavailable", None)
    assert days.readings.is_empty()
    assert days.series.filter("is_known").height == 7
    assert days.days["timezone"].to_list() == ["Europe/Berlin"]
    assert days.days["content_sha256"][0]


@pytest.mark.parametrize(
    ("reason", "absence", "scope"),
    [
        ("No data available for this timeseries for this interval", "no_data", None),
        ("missing_scope_hem:read", "missing_scope", "hem:read"),
        ("The user lacks missing_scope_battery_read.", "missing_scope", "battery_read"),
        ("Timeseries not supported by vendor", "unsupported", None),
        ("No data available for dates before the installation date", "before_installation", None),
        ("Solar flare", "other", None),
        (None, "other", None),
    ],
)
def test_a_reason_is_put_into_its_drawer_and_kept(reason, absence, scope) -> None:
    days = read({"generation": unavailable(reason)})
    found = facts(days)
    assert (found["absence"], found["missing_scope"], found["reason"]) == (absence, scope, reason)
    assert found["is_available"] is False
    assert found["expected_buckets"] is None
    assert absence_of(reason) == (absence, scope)


def test_a_series_that_was_not_sent_says_so() -> None:
    days = read({"generation": full()})
    assert facts(days, "battery_charge")["absence"] == "not_sent"
    assert days.series["metric"].to_list()[:2] == ["generation", "consumption"]


def test_unknown_names_are_kept_and_never_fail_a_body() -> None:
    odd = {"generation": full(), "heatPump": full(unit="°C"), "grid_import": unavailable("?"), "x": 4, "y": None}
    days = read(odd)
    unknown = days.series.filter(~pl.col("is_known"))
    assert unknown["metric"].to_list() == ["grid_import (as sent)", "heatPump", "x", "y"]
    assert unknown["is_available"].to_list() == [False, True, False, False]
    assert unknown["expected_buckets"].to_list() == [None] * 4
    assert outcome(days) == ("loaded", None)


def test_nulls_stay_null_and_left_out_buckets_are_missing() -> None:
    points = [(t, None if n < 4 else 2) for n, t in enumerate(stamps()[:90])]
    days = read({"generation": series(points)})
    assert counts(days) == {"expected": 92, "sent": 90, "valid": 86, "null": 4, "missing": 2}
    assert days.readings["generation_kw"].null_count() == 4
    assert days.readings.height == 90


def test_a_point_without_a_value_is_a_null() -> None:
    days = read({"generation": full(data=[{"t": stamps()[0]}, {"t": stamps()[1], "v": 1}])})
    assert counts(days) == {"expected": 92, "sent": 2, "valid": 1, "null": 1, "missing": 90}
    assert days.findings.is_empty()


@pytest.mark.parametrize(("values", "kept"), [((1, 2), 2.0), ((1, None), None), ((None, 1), 1.0), ((1, "x"), None)])
def test_of_the_same_instant_twice_the_last_wins_even_a_null(values, kept) -> None:
    first = stamps()[0]
    days = read({"generation": series([(first, value) for value in values])})
    assert days.readings["generation_kw"].to_list() == [kept]
    assert counts(days)["duplicate"] == 1


def test_points_outside_the_day_and_off_the_grid_are_left_out_and_counted() -> None:
    points = [
        ("2026-03-28T23:45:00+01:00", 1),
        ("2026-03-30T00:00:00+02:00", 1),
        ("2026-03-29T12:07:00+02:00", 1),
        ("2026-03-29T12:15:00.500+02:00", 1),
        ("2026-03-29T12:15:00+02:00", 1),
    ]
    days = read({"generation": series(points)})
    assert counts(days) == {"expected": 92, "sent": 1, "valid": 1, "missing": 91, "outside_day": 2, "off_grid": 2}
    assert days.readings["start_utc"].to_list() == [naive(2026, 3, 29, 10, 15)]


@pytest.mark.parametrize(
    ("stamp", "mismatches"),
    [
        ("2026-03-29T12:00:00+02:00", 0),
        ("2026-03-29T10:00:00Z", 0),
        ("2026-03-29t10:00:00z", 0),
        ("2026-03-29 12:00:00+0200", 0),
        ("2026-03-29T12:00:00.000+02:00", 0),
        ("2026-03-29T11:00:00+01:00", 1),
        ("2026-03-29T10:00:00+00:00", 1),
        ("2026-03-29T02:30:00-07:30", 1),
    ],
)
def test_the_instant_is_trusted_whatever_the_offset_and_a_wrong_offset_is_counted(stamp, mismatches) -> None:
    days = read({"generation": series([(stamp, 1)])})
    assert days.readings["start_utc"].to_list() == [naive(2026, 3, 29, 10)]
    assert days.readings["start_local"].to_list() == [naive(2026, 3, 29, 12)]
    assert counts(days).get("offset_mismatch", 0) == mismatches


@pytest.mark.parametrize(
    "stamp",
    [
        *(
            "2026-03-29T12:00:00",
            "2026-03-29",
            "noon",
            "",
            "2026-02-30T00:00:00Z",
            "2026-03-29T24:00:00Z",
            None,
            5,
            [],
            {},
        ),
        *("2026-03-29T12:00:00+25:00", " 2026-03-29T12:00:00Z", "2026-03-29T12:00:00Z\n", "٢٠٢٦-03-29T12:00:00Z"),
        *("2026-03-29T12:00:00+0٢:00", "2026-03-29T12:00:00.٢Z", "2026-03-29T12:00:00.Z", "2026-03-29T12:00:00-0:00"),
    ],
    ids=ascii,
)
def test_a_time_that_cannot_be_read_is_counted_found_and_costs_only_its_point(stamp) -> None:
    days = read({"generation": series([(stamp, 1), (stamps()[4], 1)])})
    assert counts(days) == {"expected": 92, "sent": 2, "valid": 1, "unreadable": 1, "missing": 90}
    assert outcome(days) == ("loaded", None)
    assert rules(days) == [("generation", "unreadable_point", "error")]


@pytest.mark.parametrize(
    "value", ["1.5", True, False, [1], {"v": 1}, float("nan"), float("inf"), -float("inf"), 10**400], ids=repr
)
def test_a_value_that_is_no_number_is_null_counted_and_found(value) -> None:
    days = read({"generation": series([(stamps()[0], value), (stamps()[1], 10**3 // 400)])})
    assert counts(days) == {"expected": 92, "sent": 2, "valid": 1, "unreadable": 1, "missing": 90}
    assert days.readings["generation_kw"].to_list() == [None, 2.0]
    assert rules(days) == [("generation", "unreadable_point", "error")]
    assert days.findings["evidence"][0].startswith("1 of 2 points, e.g. t '2026-03-29T00:00:00+01:00' v ")
    assert len(days.findings["evidence"][0]) < 200


def test_points_that_are_no_objects_are_unreadable() -> None:
    days = read({"generation": full(data=[7, None, "x", [1, 2], {"t": stamps()[0], "v": 1}])})
    assert counts(days) == {"expected": 92, "sent": 5, "valid": 1, "unreadable": 4, "missing": 87}


def test_unreadable_times_beyond_what_is_missing_are_only_in_the_finding() -> None:
    points = [*((t, 1) for t in stamps()[:91]), ("a", 1), ("b", 1), ("c", 1)]
    days = read({"generation": series(points)})
    assert counts(days) == {"expected": 92, "sent": 92, "valid": 91, "unreadable": 1}
    assert "3 of 94 points" in days.findings["evidence"][0]


def test_over_limit_is_kept_and_not_valid_and_negative_is_valid_and_flagged() -> None:
    values = [50, 50.001, -51, -50, -0.001, -0.0011, 3]
    days = read({"export": series(list(zip(stamps(), values, strict=False)))})
    assert counts(days, "grid_export") == {
        "expected": 92,
        "sent": 7,
        "valid": 5,
        "over_limit": 2,
        "negative": 2,
        "missing": 85,
    }
    assert days.readings["grid_export_kw"].to_list() == values


def test_the_state_of_charge_has_no_power_limit_and_is_never_negative_power() -> None:
    days = read({"soc": series(list(zip(stamps(), [100, 99.5, -5], strict=False)), unit="%")})
    assert counts(days, "soc") == {"expected": 92, "sent": 3, "valid": 3, "missing": 89}


def test_buckets_that_had_not_ended_are_neither_rows_nor_expected() -> None:
    fetched = datetime(2026, 3, 29, 10, 20, tzinfo=UTC)  # 12:20 local, 11:20 h into the day
    days = read({"generation": full(), "soc": full(50, minutes=30, unit="%")}, fetched_at=fetched)
    assert counts(days) == {"expected": 45, "sent": 45, "valid": 45}
    assert counts(days, "soc") == {"expected": 22, "sent": 22, "valid": 22}
    assert days.readings["start_utc"].max() == naive(2026, 3, 29, 10)


def test_the_zone_is_that_of_the_first_available_series_that_states_a_known_one() -> None:
    timeseries = {
        "soc": full(5, unit="%", zone="Asia/Tokyo", day="2026-03-29"),
        "import": full(zone="Europe/Berlin"),
        "consumption": full(timezone="Mars/Phobos"),
        "generation": {**unavailable(), "timezone": "Asia/Tokyo"},
    }
    days = read(timeseries, zone="America/New_York")
    assert days.days["timezone"].to_list() == ["Europe/Berlin"]
    assert rules(days) == [(None, "timezone_disagrees", "warning")]
    assert "soc states 'Asia/Tokyo'" in days.findings["evidence"][0]
    assert "consumption states 'Mars/Phobos'" in days.findings["evidence"][0]


def test_without_a_stated_zone_the_systems_is_used() -> None:
    days = read({"generation": full(timezone=None)}, zone="Europe/Berlin")
    assert days.days["timezone"].to_list() == ["Europe/Berlin"]
    assert counts(days) == {"expected": 92, "sent": 92, "valid": 92}
    assert days.findings.is_empty()


def test_where_no_zone_is_known_there_is_no_day_to_cut_out() -> None:
    days = read({"generation": series([("2026-03-29T00:00:00+05:30", 1)], zone="Nowhere/Land")}, zone="also unknown")
    found, detail = outcome(days)
    assert found == "unreadable"
    assert "no known time zone" in detail
    assert "Nowhere/Land" in detail
    assert days.readings.is_empty()


def test_a_day_without_data_and_without_a_zone_is_over_when_it_is_over_everywhere() -> None:
    days = read({"generation": unavailable()}, zone=None)
    assert outcome(days)[0] == "unavailable"
    assert days.days["timezone"].to_list() == [None]
    assert days.days["ends_at_utc"].to_list() == [naive(2026, 3, 30, 12)]
    assert rules(days) == [(None, "unknown_timezone", "warning")]


def test_bodies_are_read_together_whatever_their_order_zones_and_resolutions() -> None:
    bodies = [
        day_body({"generation": full(2, "2026-03-30", "Asia/Tokyo", 5)}, "2026-03-30", system_id="a"),
        day_body({"generation": full(3, "2026-03-29", minutes=60)}, "2026-03-29", system_id="b"),
        day_body(b"?", "2026-03-29", system_id="a"),
        day_body({"soc": unavailable()}, "2026-03-30", system_id="B"),
    ]
    days = read_days(bodies, over_limit_kw=LIMIT)
    assert days.days.select("day", "system_id", "outcome").rows() == [
        (date(2026, 3, 29), "a", "unreadable"),
        (date(2026, 3, 29), "b", "loaded"),
        (date(2026, 3, 30), "B", "unavailable"),
        (date(2026, 3, 30), "a", "loaded"),
    ]
    assert days.readings.group_by("system_id", maintain_order=True).len().rows() == [("b", 23), ("a", 288)]
    assert days.readings.equals(days.readings.sort("day", "system_id", "start_utc"))


def test_no_bodies_give_empty_frames() -> None:
    days = read_days([], over_limit_kw=LIMIT)
    assert (days.readings.height, days.series.height, days.days.height) == (0, 0, 0)


def test_the_same_system_and_day_twice_is_refused() -> None:
    with pytest.raises(FrameError, match="share a key"):
        read_days([day_body({}), day_body({})], over_limit_kw=LIMIT)


def test_the_gate_refuses_other_dtypes_and_never_casts() -> None:
    with pytest.raises(FrameError, match="declared"):
        gated(pl.DataFrame({"system_id": [1]}), FINDING_SCHEMA)


def test_an_available_series_without_points_is_known_to_be_empty() -> None:
    days = read({"generation": full(data=[]), "import": full()})
    assert counts(days) == {"expected": 92, "missing": 92}
    assert facts(days)["valid_minutes"] == 0
    alone = read({"generation": full(data=[])})
    assert outcome(alone) == ("loaded", None)
    assert counts(alone) == {"expected": 92, "missing": 92}


def test_findings_carry_the_time_of_the_look() -> None:
    days = read({"generation": full("x")}, fetched_at=LATER - timedelta(hours=1))
    assert days.findings["found_at_utc"].to_list() == [naive(2029, 12, 31, 23)]
    assert "92 of 92" in days.findings["evidence"][0]


def test_all_seven_metrics_land_in_their_columns() -> None:
    timeseries = {name: full(n + 1, unit="%" if name == "soc" else "kW") for n, name in enumerate(NAMES)}
    days = read(dict(reversed(timeseries.items())))
    assert days.readings.select(pl.exclude("start_utc", "start_local", "utc_offset_minutes")).row(0) == (
        "s1",
        date(2026, 3, 29),
        *map(float, range(1, 8)),
    )


def test_ids_with_any_character_are_values() -> None:
    body = Body("é/..\0'\"", Interval.parse("2026-03-29"), encoded({"generation": full()}), LATER, None)
    assert read_days([body], over_limit_kw=LIMIT).readings["system_id"][0] == "é/..\0'\""


@pytest.mark.parametrize("systems", [["a", "b", "b"], ["b", "a", "b"]])
def test_the_gate_finds_a_repeated_key_in_sorted_rows_and_in_others(systems: list[str]) -> None:
    schema = pl.Schema({"system_id": pl.String(), "day": pl.Date()})
    frame = pl.DataFrame({"system_id": systems, "day": [date(2026, 3, 29)] * 3}, schema=schema)
    with pytest.raises(FrameError, match="share a key"):
        gated(frame, schema, key=("system_id", "day"))
    once = frame.unique(maintain_order=True)
    assert gated(once, schema, key=("system_id", "day")) is once
