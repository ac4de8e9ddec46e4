"""Loading what is landed, however it came to be landed."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from world import World

from hem_etl.answer import Answer
from hem_etl.local_day import Interval
from hem_etl.pipeline.ahead import Ahead
from hem_etl.vocabulary import Outcome

LIST = {"data": [{"id": "home", "vendor": "SMA", "timezone": "Europe/Berlin"}], "pagination": {"after": None}}
ZONES = (None, None, "Europe/Berlin", "Asia/Kolkata", "Europe/London")
LEFT = (
    "day, outcome, timezone, generation_kwh, generation_coverage from marts.daily_energy",
    "interval, outcome, timezone, version, content_sha256 from core.load",
    "system_id, day, version, content_sha256, generation_kwh from core.day_version",
    "* exclude (fetched_at_utc) from core.reported_day",
)
MIDNIGHT = datetime(2026, 11, 9, 23, tzinfo=UTC)  # 2026-11-10 in Berlin


def body(*kilowatts: float | None) -> bytes:
    """Generation in quarter hours from local midnight on."""
    start = datetime(2026, 11, 10)
    points = [
        {"t": f"{start + timedelta(minutes=15 * n):%Y-%m-%dT%H:%M:%S}+01:00", "v": v} for n, v in enumerate(kilowatts)
    ]
    series = {"isAvailable": True, "unit": "kW", "sampling": {"resolution": "PT15M"}, "timezone": "Europe/Berlin"}
    return json.dumps({"timeseries": {"generation": series | {"data": points}}}).encode()


def land(world: World, *looks: tuple[float, bytes]) -> None:
    """Land the list and then looks at 2026-11-10, so many hours after its local midnight, in one segment."""
    with world.road().landing.writer() as writer:
        listed = json.dumps(LIST).encode()
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, listed))
        for hours, sent in looks:
            at = MIDNIGHT + timedelta(hours=hours)
            writer.add(Answer("day", "home", Interval.parse("2026-11-10"), 0, None, at, 1, 1, 200, None, None, sent))
    world.road().load()
    world.road().publish()


def test_two_looks_at_one_interval_in_one_segment_are_two_versions(world: World) -> None:
    land(world, (25, body(1.0, 2.0)), (49, body(1.0, 4.0)))
    versions = world.sql("select version, generation_kwh from core.day_version order by version").rows()
    assert versions == [(1, 0.75), (2, 1.25)]
    assert world.sql("select generation_kwh from marts.daily_energy").item() == 1.25


def test_a_content_that_comes_back_is_a_version_of_its_own(world: World) -> None:
    first, second = body(1.0), body(2.0)
    land(world, (25, first), (49, second), (97, first))
    assert world.sql("select generation_kwh from core.day_version order by version").rows() == [
        (0.25,),
        (0.5,),
        (0.25,),
    ]
    assert world.sql("select count(distinct content_sha256) from core.day_version").item() == 2


def test_the_same_bytes_say_more_once_the_day_is_over(world: World) -> None:
    """A vendor that stopped sending: while the day runs two buckets are all there is, afterwards 94 are missing."""
    land(world, (0.5, body(1.0, 2.0)), (25, body(1.0, 2.0)))
    (row,) = world.sql(
        "select expected_buckets, missing_buckets, coverage from marts.coverage_daily where metric = 'generation'"
    ).rows()
    assert row == (96, 94, 2 / 96)


def test_the_same_bytes_after_the_end_of_the_day_write_no_rows(world: World) -> None:
    land(world, (25, body(1.0)), (49, body(1.0)), (200, body(1.0)))
    assert world.sql("select version, state, loaded_outcome from core.load").rows() == [(1, "settled", "loaded")]
    assert world.sql("select answered_at_utc - fetched_at_utc = interval 0 second from core.load").item()


def batches_of_days(world: World, monkeypatch: pytest.MonkeyPatch, days: int) -> list[int]:
    """How many bodies are read at once of so many days of one home that states its zone with each."""
    with world.road().landing.writer() as writer:
        for number in range(days):
            label = f"{datetime(2026, 11, 10) + timedelta(days=number):%Y-%m-%d}"
            sent = body(1.0).replace(b"2026-11-10", label.encode())
            at = MIDNIGHT + timedelta(days=number + 2)
            writer.add(Answer("day", "home", Interval.parse(label), 0, None, at, 1, 1, 200, None, None, sent))
    sizes: list[int] = []
    real = Ahead.prepare
    monkeypatch.setattr(
        Ahead, "prepare", lambda self, looks, fleet: (sizes.append(len(looks)), real(self, looks, fleet))[1]
    )
    assert world.road().load().new_days == days
    return sizes


def test_days_of_a_system_that_no_list_names_are_read_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert batches_of_days(world, monkeypatch, 5) == [5]


def test_the_first_answer_of_a_listed_system_may_tell_the_zone_of_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.road().landing.writer() as writer:
        listed = json.dumps({"data": [{"id": "home"}], "pagination": {"after": None}}).encode()
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, listed))
    assert batches_of_days(world, monkeypatch, 5) == [1, 4]


def zoneless(kilowatts: float, zone: str | None = None) -> bytes:
    """Generation of 2026-11-09 to 2026-11-12 in UTC, whichever day was asked for; without `zone` no word of one."""
    start = datetime(2026, 11, 9)
    points = [
        {"t": f"{start + timedelta(minutes=15 * n):%Y-%m-%dT%H:%M:%S}Z", "v": kilowatts + n / 100} for n in range(384)
    ]
    series = {"isAvailable": True, "unit": "kW", "sampling": {"resolution": "PT15M"}, "data": points}
    said = series if zone is None else series | {"timezone": zone}
    return json.dumps({"timeseries": {"generation": said}}).encode()


def zoneless_month(kwh: float, zone: str | None) -> bytes:
    """Charge of November 2026 by day in Berlin, without a word of a zone where none is given."""
    points = [
        {"t": f"{datetime(2026, 10, 31, 23) + timedelta(days=n):%Y-%m-%dT%H:%M:%S}Z", "v": kwh} for n in range(30)
    ]
    series = {"isAvailable": True, "unit": "kWh", "sampling": {"resolution": "P1D"}, "data": points}
    said = series if zone is None else series | {"timezone": zone}
    return json.dumps({"timeseries": {"charge": said}}).encode()


@pytest.mark.parametrize("zones", [("Europe/Berlin", "Asia/Kolkata"), (None, "Asia/Kolkata")], ids=str)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_a_look_that_lands_late_is_read_in_the_zone_that_was_known_when_it_was_made(
    world: World, zones: tuple[str | None, str], order: tuple[int, ...]
) -> None:
    """Its body states none. A failed look that landed late had its day cut anew, by the zone of today."""

    def listed(hours: float, zone: str | None) -> Answer:
        item = {"id": "home", "vendor": "SMA"} | ({} if zone is None else {"timezone": zone})
        sent = json.dumps({"data": [item], "pagination": {"after": None}}).encode()
        return Answer("systems", None, None, 0, None, MIDNIGHT + timedelta(hours=hours), 1, 1, 200, None, None, sent)

    def look(hours: float, day: str, kilowatts: float | None) -> Answer:
        at, interval = MIDNIGHT + timedelta(hours=hours), Interval.parse(day)
        if kilowatts is None:
            return Answer("day", "home", interval, 0, None, at, 1, 1, 503, Outcome.UNREACHABLE, "busy", None)
        return Answer("day", "home", interval, 0, None, at, 1, 1, 200, None, None, zoneless(kilowatts))

    looks = [look(30, "2026-11-10", 1.0), look(31, "2026-11-10", None), look(60, "2026-11-11", 2.0)]
    for answer in [listed(0, zones[0]), listed(50, zones[1]), *(looks[number] for number in order)]:
        with world.road().landing.writer() as writer:
            writer.add(answer)
        world.road().load()
    world.road().publish()

    days = "select day, outcome, timezone, generation_kwh, generation_coverage from marts.daily_energy order by day"
    as_they_came = world.sql(days).rows()
    world.road().rebuild()
    assert as_they_came == world.sql(days).rows()


@pytest.mark.parametrize(
    "zones",
    [
        ("Europe/Berlin", "Asia/Kolkata", None),
        ("Europe/Berlin", "Asia/Kolkata", "Europe/Berlin", None),
        (None, "Asia/Kolkata", None, "Europe/Berlin", None),
        ("Europe/Berlin", None, "Asia/Kolkata", None),
    ],
    ids=str,
)
def test_a_body_without_a_zone_is_read_in_that_of_the_look_before_it_in_one_batch_too(
    world: World, zones: tuple[str | None, ...]
) -> None:
    """One look a load, or all of them in one: it was read in the zone that was known before the batch."""
    with world.road().landing.writer() as writer:
        listed = json.dumps({"data": [{"id": "home"}], "pagination": {"after": None}}).encode()
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, listed))
    for number, zone in enumerate(zones):
        with world.road().landing.writer() as writer:
            at, interval = MIDNIGHT + timedelta(hours=100 + number), Interval.parse(f"2026-11-{12 - number:02}")
            sent = zoneless(1.0, zone)
            writer.add(Answer("day", "home", interval, 0, None, at, 1, 1, 200, None, None, sent))
        world.road().load()
    world.road().publish()

    days = "select day, outcome, timezone, generation_kwh, generation_coverage from marts.daily_energy order by day"
    one_by_one = world.sql(days).rows()
    world.road().rebuild()
    assert world.sql(days).rows() == one_by_one


@pytest.mark.parametrize("seed", range(12))
def test_looks_in_one_batch_leave_what_they_leave_one_by_one(world: World, seed: int) -> None:
    """Days, months and lists that state zones at random, or none: each is read in what was known before it."""
    draw = Random(seed)
    said = [draw.choice(ZONES) for _ in range(10)]
    for number, zone in enumerate(said):
        at = MIDNIGHT + timedelta(hours=100 + number)
        if number == 0 or draw.random() < 0.1:
            named = {} if zone is None else {"timezone": zone}
            sent = json.dumps({"data": [{"id": "home"} | named], "pagination": {"after": None}}).encode()
            answer = Answer("systems", None, None, 0, None, at, 1, 1, 200, None, None, sent)
        else:
            kind, label = draw.choice((("month", "2026-11"), *[("day", f"2026-11-{day}") for day in (10, 11, 12)]))
            sent = zoneless(draw.choice((1.0, 2.0)), zone) if kind == "day" else zoneless_month(draw.random(), zone)
            answer = Answer(kind, "home", Interval.parse(label), 0, None, at, 1, 1, 200, None, None, sent)
        with world.road().landing.writer() as writer:
            writer.add(answer)
        world.road().load()
    world.road().publish()

    one_by_one = [world.sql(f"select {what} order by all").rows() for what in LEFT]
    world.road().rebuild()
    assert [world.sql(f"select {what} order by all").rows() for what in LEFT] == one_by_one
