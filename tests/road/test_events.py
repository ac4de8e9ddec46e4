"""Webhook events on the road: an event makes somebody look, and the look alone says what is true."""

from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from world import NOW, World, same_tables

from hem_etl.answer import Kind
from hem_etl.facts import heartbeat_warning
from hem_etl.local_day import Interval
from hem_etl.pipeline.ledger import Announcements, Entry, is_due
from hem_etl.simulator import Faults, make_fleet
from hem_etl.simulator.fleet import Fleet
from hem_etl.vocabulary import EventName
from hem_etl.warehouse import open_warehouse

DAYS = ("2026-11-21", "2026-11-22")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("filled") / "home", make_fleet(3, today=NOW.date()))
    world.run(*DAYS)
    return world


@pytest.fixture
def home(filled: World, tmp_path: Path) -> World:
    """Three homes, asked for two days, an hour ago."""
    world = filled.copied_to(tmp_path / "home")
    world.pass_time(minutes=59)
    return world


def event(name: str, system_id: str | None = None, user_id: str | None = None, **more: Any) -> dict[str, Any]:
    about = {"hemSystem": {"id": system_id}} if system_id is not None else {}
    user = {"user": {"id": user_id}} if user_id is not None else {}
    return {"event": name, "createdAt": "2026-11-22T14:00:00Z", "version": "2024-10-01", **about, **user, **more}


def events(world: World) -> pl.DataFrame:
    return world.sql("select * from core.event order by received_at_utc, position")


def statistics_looks(world: World) -> int:
    landing = world.road().landing
    return len(landing.read_receipts(landing.segments(), Kind.DAY))


def system(world: World, place: int = 0) -> str:
    return world.simulator.fleet.homes[place].system_id


def test_an_update_makes_the_systems_unsettled_days_due_and_no_others(home: World) -> None:
    before = home.sql("select system_id, day, fetched_at_utc from core.load where interval_kind = 'day'")
    home.deliver(event(EventName.UPDATED, system(home)))
    home.pass_time(minutes=1)

    report = home.run_due()

    after = home.sql("select system_id, day, fetched_at_utc from core.load where interval_kind = 'day'")
    moved = after.join(before, on=["system_id", "day", "fetched_at_utc"], how="anti")
    assert set(moved["system_id"]) == {system(home)}
    assert moved.height == report.asked == 2
    row = events(home).row(0, named=True)
    assert row["led_to"] == "asked: answered"
    assert row["handled_at_utc"] >= row["received_at_utc"]


def test_no_list_is_asked_for_an_update_of_a_system_that_is_known(home: World) -> None:
    landing = home.road().landing
    lists = len(landing.read_receipts(landing.segments(), Kind.SYSTEMS, Kind.INVERTERS))
    home.deliver(event(EventName.UPDATED, system(home)))
    home.run_due()
    assert len(landing.read_receipts(landing.segments(), Kind.SYSTEMS, Kind.INVERTERS)) == lists


@pytest.mark.slow
def test_a_system_is_asked_again_no_more_often_than_the_setting_says(home: World) -> None:
    looks = []
    for _ in range(9):
        home.deliver(event(EventName.UPDATED, system(home), createdAt=home.now.isoformat()))
        home.pass_time(minutes=7)
        home.run_due()
        looks.append(statistics_looks(home))
    grown = [later - earlier for earlier, later in pairwise(looks)]
    assert grown == [0, 0, 2, 0, 0, 2, 0, 0]


def test_a_repeated_delivery_is_kept_and_makes_nobody_ask(home: World) -> None:
    update = event(EventName.UPDATED, system(home))
    home.deliver(update)
    home.run_due()
    looks = statistics_looks(home)
    home.pass_time(hours=2)
    home.deliver(update, delivery_id="d-2")

    report = home.run_due()

    first, second = events(home).iter_rows(named=True)
    assert (second["duplicate_of"], second["led_to"]) == (first["event_id"], "a repetition")
    assert (report.asked, statistics_looks(home)) == (0, looks)


def test_a_discovered_system_is_listed_and_its_past_is_asked_months_first(tmp_path: Path) -> None:
    fleet = make_fleet(3, today=NOW.date())
    world = World(tmp_path / "home", Fleet(fleet.homes[:2]))
    world.settings = world.settings.model_copy(update={"start_date": NOW.date() - timedelta(days=3)})
    world.run(*DAYS)
    world.simulator.fleet = fleet
    new = fleet.homes[2]
    world.deliver(event(EventName.DISCOVERED, new.system_id, new.user_id))

    report = world.run_due()

    asked = world.sql(f"select interval from core.load where system_id = '{new.system_id}'")["interval"].to_list()
    assert sorted(asked) == ["2026-11", "2026-11-19", "2026-11-20", "2026-11-21"]
    assert report.asked == len(asked)
    assert events(world)["led_to"].to_list() == ["listed"]


def test_a_deleted_system_is_gone_only_when_list_and_read_agree(home: World) -> None:
    removed = home.simulator.fleet.homes[0]
    for name in (removed.system_id, system(home, 1)):
        home.deliver(event(EventName.DELETED, name, home.simulator.fleet.by_id[name].user_id))
    home.simulator.fleet = Fleet([each for each in home.simulator.fleet.homes if each is not removed])
    home.pass_time(minutes=1)
    home.run_due()
    home.pass_time(hours=1)
    home.run(*DAYS)

    gone = home.sql("select system_id from core.system where gone_at_utc is not null")["system_id"].to_list()
    assert gone == [removed.system_id]
    closed = home.sql("select distinct system_id, gone_at_utc from core.asset where gone_at_utc is not null")
    assert closed["system_id"].to_list() == gone
    assert home.sql(f"select count(*) from core.reading where system_id = '{removed.system_id}'").item() > 0


def test_what_cannot_be_read_is_kept_beside_what_can(home: World) -> None:
    hostile = ["user:hem-system:updated", None, {"event": 7}, {"event": None}, event("user:vehicle:updated"), 3]
    ids = ["../../etc/passwd", "'; drop table core.event; --", "x" * 10_000, "a\nb\0c", "<script>"]
    ids_of_users = ["no-such-user", "u" * 70_000, "é" * 10_000, "..", "a\nb\0c"]
    home.deliver(*hostile, *map(partial(event, EventName.UPDATED), ids, ids_of_users))
    home.deliver(body=b"\xff not JSON", delivery_id=None)
    home.deliver(body=b'{"payload":"example"}')
    tables = home.tables()

    report = home.run_due()

    rows = events(home)
    assert rows.height == len(hostile) + len(ids) + 2
    assert rows.filter(pl.col("led_to").str.contains("cannot be read")).height >= 5
    assert report.asked == 0
    ours = home.tables()
    for name in ("core.event", "marts.webhook_health"):
        tables.pop(name), ours.pop(name)
    same_tables(tables, ours)


def test_a_rebuild_gives_the_same_events(home: World) -> None:
    user = home.simulator.fleet.homes[1].user_id
    home.deliver(event(EventName.UPDATED, system(home)), event(EventName.INVALIDATED, user_id=user))
    home.run_due()
    home.pass_time(minutes=30)
    home.deliver(event(EventName.UPDATED, system(home)), event("system:heartbeat", pendingEvents=2))
    home.deliver(event(EventName.UPDATED, system(home, 2), createdAt="2026-11-22T14:31:00Z"))
    home.pass_time(minutes=1)
    home.run_due()
    before = home.tables()
    assert before["core.event"]["handled_at_utc"].null_count() == 0

    home.road().rebuild()

    same_tables(before, home.tables())


@pytest.mark.slow
def test_events_change_no_table_but_their_own(home: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other", home.simulator.fleet)
    other.run(*DAYS)
    other.pass_time(minutes=59)
    home.deliver(*(event(EventName.UPDATED, each.system_id) for each in home.simulator.fleet.homes))
    home.run_due()
    other.run(DAYS[0], "2026-11-23", refresh=True, months=False)
    ours, theirs = home.tables(), other.tables()
    for name in ("core.event", "marts.webhook_health"):
        ours.pop(name), theirs.pop(name)
    for name in ("core.system", "core.asset", "core.location", "marts.system_health", "core.system_history"):
        ours.pop(name), theirs.pop(name)  # tell when a list was seen, which an update does not ask for
    same_tables(ours, theirs)


def test_a_death_between_landing_and_the_mark_keeps_each_event_once(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.deliver(event(EventName.UPDATED, system(home)), event("system:heartbeat"))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hem_etl.webhooks.inbox.Inbox.take", die)
        with pytest.raises(KeyboardInterrupt):
            home.road().take_deliveries()
    home.pass_time(minutes=1)
    home.run_due()
    home.pass_time(minutes=30)
    assert events(home).height == 2
    assert home.run_due().asked == 0
    home.road().rebuild()
    assert events(home)["led_to"].to_list() == ["asked: answered", "recorded"]


def test_an_event_that_is_landed_after_the_look_that_came_after_it_waits_for_no_other(home: World) -> None:
    home.deliver(event(EventName.UPDATED, system(home)))
    home.pass_time(minutes=2)
    with home.client() as client:  # a process that does not take deliveries over
        road = home.road(client)
        road.extract(road.plan(home.request(*DAYS, refresh=True)), road.sync_systems())
        road.load()
    assert home.run_due().asked == 0
    row = events(home).row(0, named=True)
    assert row["led_to"] == "asked: answered"


def test_who_linked_again_leaves_the_list_and_how_long_it_took_stays(home: World) -> None:
    dead = home.simulator.fleet.homes[1]
    home.simulator.faults = Faults.pinned({dead.system_id: "relink"})
    home.deliver(event(EventName.INVALIDATED, user_id=dead.user_id))
    home.run_due()
    refused_at = home.now.replace(tzinfo=None)
    listed = home.sql("select user_id, vendor, reason, refused_at_utc, announced_at_utc from marts.relink")
    assert listed.rows() == [
        (dead.user_id, dead.vendor, listed["reason"][0], refused_at, refused_at),
    ]
    assert "credentials are invalid" in listed["reason"][0]
    home.pass_time(hours=5)
    home.run(*DAYS)
    assert home.sql("select linked_at_utc from marts.relink_history")["linked_at_utc"].to_list() == [None]

    home.simulator.faults = Faults.none()
    home.pass_time(hours=2, minutes=30)
    home.run(*DAYS)

    assert home.sql("from marts.relink").is_empty()
    found = home.sql("select system_id, user_id, refused_at_utc, relink_hours from marts.relink_history")
    assert found.rows() == [(dead.system_id, dead.user_id, refused_at, 7.5)]
    before = home.tables()
    home.road().rebuild()
    same_tables(before, home.tables())


def test_updates_go_after_their_days_others_and_what_waits_stay_and_a_rebuild_leaves_the_same(home: World) -> None:
    home.settings = home.settings.model_copy(update={"event_days": 8})
    user = home.simulator.fleet.homes[0].user_id

    def deliver(*more: dict[str, Any]) -> None:
        home.deliver(event(EventName.UPDATED, system(home), createdAt=home.now.isoformat()), *more)
        home.road().take_deliveries()
        home.road().load()

    again = event(EventName.UPDATED, system(home, 1))
    deliver(event(EventName.INVALIDATED, user_id=user), again, event("user:toaster:updated"), {"event": 7})
    home.pass_time(minutes=1)
    home.run_due()
    home.pass_time(days=6)
    deliver(again)  # a repetition
    home.pass_time(days=2)
    deliver(again)  # of the first one no more, but of the second
    home.pass_time(days=12)
    deliver(again)
    home.run_due()

    kept = events(home).select("event", "received_at_utc", "duplicate_of")
    assert kept["event"].to_list() == [EventName.INVALIDATED, EventName.UPDATED, EventName.UPDATED]
    assert kept["duplicate_of"].to_list() == [None] * 3
    days = home.sql("select day, events from marts.webhook_health order by day").rows()
    assert days == [(home.now.date(), 2)]
    before = home.tables()
    home.road().rebuild()
    same_tables(before, home.tables())


def test_a_repetition_is_one_of_the_week_before(home: World) -> None:
    for days in (0, 5, 5, 8):
        home.pass_time(days=days)
        home.deliver(event(EventName.HEARTBEAT))
        home.run_due()
    first, second, third, fourth = events(home).iter_rows(named=True)
    assert [each["duplicate_of"] for each in (first, second, third, fourth)] == [
        None,
        first["event_id"],
        second["event_id"],
        None,
    ]


@pytest.mark.parametrize(
    ("minutes_since_look", "event_minutes_ago", "state", "due"),
    [
        (20, 10, "provisional", True),
        (20, 30, "provisional", False),
        (10, 5, "provisional", False),
        (20, 10, "settled", False),
    ],
)
def test_an_announced_day_is_due_once_it_rested(
    minutes_since_look: int, event_minutes_ago: int, state: str, due: bool
) -> None:
    now = datetime(2026, 11, 22, 12)
    seen = now - timedelta(minutes=minutes_since_look)
    entry = Entry(
        "s",
        Interval.parse("2026-11-21"),
        outcome="loaded",
        fetched_at_utc=seen,
        answered_at_utc=seen,
        ends_at_utc=datetime(2026, 11, 22),
        state=state,
    )
    announced = Announcements({"s": now - timedelta(minutes=event_minutes_ago)}, timedelta(minutes=15))
    assert is_due(entry, now, announced=announced) is due


def test_a_user_whom_enode_does_not_know_is_asked_for_once(home: World) -> None:
    home.deliver(event(EventName.UPDATED, "never-seen", "nobody"), event(EventName.DISCOVERED, user_id=".."))
    home.run_due()
    assert events(home)["led_to"].to_list() == ["asked: Enode knows no such user"] * 2
    with home.client() as client:
        home.road(client).run_due()
        assert client.requests_made == 0


def test_an_event_of_yesterday_that_nobody_followed_asks_for_its_own_day(home: World) -> None:
    home.pass_time(days=1)
    home.deliver(event(EventName.UPDATED, system(home)))
    home.pass_time(days=2)
    home.run_due()
    asked = home.sql(f"select day from core.load where system_id = '{system(home)}' and interval_kind = 'day'")["day"]
    assert date(2026, 11, 23) in asked.to_list()
    assert events(home)["handled_at_utc"].null_count() == 0


@pytest.mark.slow
def test_heartbeats_that_stop_and_events_that_are_held_back_are_a_warning(home: World) -> None:
    warehouse = open_warehouse(home.settings)
    assert heartbeat_warning(warehouse) is None
    for minutes, pending in ((0, 0), (30, 5), (30, 7), (31, 9)):
        home.pass_time(minutes=minutes)
        home.deliver({"event": "system:heartbeat", "createdAt": home.now.isoformat(), "pendingEvents": pending})
        home.run(*DAYS)
        says = heartbeat_warning(warehouse)
        assert (says is not None) == (minutes == 31), (minutes, says)
    assert "holds events back since" in str(says)
    home.pass_time(hours=4)
    home.run(*DAYS)
    assert "the last heartbeat came" in str(heartbeat_warning(warehouse))


def test_a_running_day_is_covered_by_the_whole_day_and_in_today_by_the_time_that_is_over(home: World) -> None:
    rows = home.sql(
        "select today.generation_coverage as so_far, daily.generation_coverage as of_day, daily.is_complete, "
        "series.expected_buckets * series.resolution_minutes / 60 as ended_hours, daily.day_hours, today.age_minutes "
        "from marts.today as today "
        "inner join marts.daily_energy as daily on daily.system_id = today.system_id and daily.day = today.day "
        "inner join core.series as series on series.system_id = today.system_id and series.day = today.day "
        "where series.metric = 'generation' and daily.state = 'open'"
    )
    assert rows.height > 0
    for so_far, of_day, is_complete, ended_hours, day_hours, age_minutes in rows.iter_rows():
        assert so_far * ended_hours == pytest.approx(of_day * day_hours)
        assert so_far == pytest.approx(1)
        assert of_day < so_far
        assert not is_complete
        assert 0 <= age_minutes <= 15
