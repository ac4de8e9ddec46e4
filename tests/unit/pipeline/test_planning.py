"""Planning: what is asked of whom, in which order, and what is left out."""

from datetime import date, datetime
from typing import Any

import polars as pl

from hem_etl.local_day import Interval
from hem_etl.pipeline.fleet import SYSTEM_SCHEMA
from hem_etl.pipeline.ledger import Entry
from hem_etl.pipeline.planning import Plan, Request, plan_intervals, plan_late, plan_range
from hem_etl.vocabulary import IntervalKind

NOW = datetime(2026, 11, 22, 13, 15)


def systems(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(SYSTEM_SCHEMA) | row for row in rows], schema=SYSTEM_SCHEMA)


BERLIN = {"system_id": "a", "vendor": "SMA", "user_id": "u1", "timezone": "Europe/Berlin"}
AUCKLAND = {"system_id": "b", "vendor": "TESLA", "user_id": "u2", "timezone": "Pacific/Auckland"}
NOWHERE = {"system_id": "c", "vendor": "TESLA", "user_id": "u2"}
GONE = {"system_id": "d", "vendor": "SMA", "user_id": "u1", "timezone": "UTC", "gone_at_utc": NOW}
FLEET = systems(BERLIN, AUCKLAND, NOWHERE, GONE)


def labels(plan: Plan) -> dict[str, list[str]]:
    return {system.system_id: [ask.interval.label for ask in system.asks] for system in plan.systems}


def test_months_come_first_then_days_newest_first() -> None:
    plan = plan_range(Request(date(2026, 10, 31), date(2026, 11, 2), frozenset("a")), FLEET, [], NOW)
    assert labels(plan) == {"a": ["2026-11", "2026-10", "2026-11-02", "2026-11-01", "2026-10-31"]}
    assert (plan.requests, plan.count(IntervalKind.DAY), plan.count(IntervalKind.MONTH)) == (5, 3, 2)


def test_days_that_have_not_begun_locally_are_not_asked() -> None:
    plan = plan_range(Request(date(2026, 11, 22), date(2026, 11, 23), has_months=False), FLEET, [], NOW)
    assert labels(plan) == {"a": ["2026-11-22"], "b": ["2026-11-23", "2026-11-22"], "c": ["2026-11-22"]}
    assert plan.not_begun == 2


def test_a_gone_system_is_asked_only_by_name() -> None:
    request = Request(date(2026, 11, 1), date(2026, 11, 1), has_months=False)
    assert "d" not in labels(plan_range(request, FLEET, [], NOW))
    named = Request(date(2026, 11, 1), date(2026, 11, 1), frozenset("d"), has_months=False)
    assert labels(plan_range(named, FLEET, [], NOW)) == {"d": ["2026-11-01"]}


def test_vendors_and_users_narrow_the_fleet() -> None:
    day = date(2026, 11, 1)
    by_vendor = Request(day, day, vendors=frozenset({"TESLA"}), has_months=False)
    by_user = Request(day, day, users=frozenset({"u1"}), has_months=False)
    assert set(labels(plan_range(by_vendor, FLEET, [], NOW))) == {"b", "c"}
    assert set(labels(plan_range(by_user, FLEET, [], NOW))) == {"a"}


def test_what_is_settled_is_left_out_unless_everything_is_asked() -> None:
    settled = Entry("a", Interval.parse("2026-11-01"), outcome="loaded", state="settled", version=1)
    request = Request(date(2026, 11, 1), date(2026, 11, 2), frozenset("a"), has_months=False)
    plan = plan_range(request, FLEET, [settled], NOW)
    assert (labels(plan), plan.not_due) == ({"a": ["2026-11-02"]}, 1)
    assert plan.before == {("a", Interval.parse("2026-11-02")): None, settled.key: settled}
    refresh = Request(date(2026, 11, 1), date(2026, 11, 2), frozenset("a"), has_months=False, is_refresh=True)
    assert labels(plan_range(refresh, FLEET, [settled], NOW)) == {"a": ["2026-11-02", "2026-11-01"]}


def test_intervals_known_to_be_blocked_wait_for_the_probe() -> None:
    blocked = Entry("a", Interval.parse("2026-11-01"), outcome="relink_needed")
    request = Request(date(2026, 11, 1), date(2026, 11, 2), frozenset("a"), has_months=False)
    (system,) = plan_range(request, FLEET, [blocked], NOW).systems
    assert [ask.is_explained for ask in system.asks] == [False, True]


def test_late_data_are_what_the_ledger_knows_and_nothing_else() -> None:
    ledger = [
        Entry("a", Interval.parse("2026-11-01"), outcome="loaded", state="settled", version=1),
        Entry("a", Interval.parse("2026-10-01"), outcome="unreachable"),
        Entry("d", Interval.parse("2026-10-01"), outcome="unreachable"),
    ]
    assert labels(plan_late(FLEET, ledger, NOW)) == {"a": ["2026-10-01"]}


def test_explicit_intervals_are_planned_for_their_systems_alone() -> None:
    wanted = {"a": [Interval.parse("2026-11-01")], "b": [Interval.parse("2026-11"), Interval.parse("2026-12")]}
    plan = plan_intervals(wanted, FLEET, [], NOW)
    assert labels(plan) == {"a": ["2026-11-01"], "b": ["2026-11"]}
    assert plan.not_begun == 1


def test_the_time_is_the_budget_or_the_longest_system() -> None:
    plan = plan_range(Request(date(2026, 11, 1), date(2026, 11, 10), has_months=False), FLEET, [], NOW)
    assert plan.seconds(0, 16) == 20.0
    assert plan.seconds(0.5, 16) == 60.0
    assert Plan((), 0, 0, 0).seconds(0, 16) == 0.0
