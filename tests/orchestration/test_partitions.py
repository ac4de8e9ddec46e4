"""Keys: every id round-trips, the windows hold what has begun, buckets hold everybody once."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hem_etl.local_day import Interval
from hem_etl.orchestration.partitions import Scheme, decoded, encoded

HOSTILE = [
    "",
    ".",
    "..",
    "...",
    "a|b",
    "a/b",
    "a,b",
    "[a",
    "~",
    "%",
    "%2E",
    "a b\n\t\0",
    "ü",
    "…",
    "\ud800",
    "2026-01-01|x",
]


@pytest.mark.parametrize("system_id", HOSTILE)
def test_hostile_ids_are_keys_and_come_back(system_id: str) -> None:
    key = encoded(system_id)
    assert decoded(key) == system_id
    assert not set(key) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-%")
    assert ".." not in key


@given(st.text())
def test_every_id_comes_back(system_id: str) -> None:
    assert decoded(encoded(system_id)) == system_id


@given(st.lists(st.text(min_size=1), unique=True))
def test_members_are_the_systems_behind_the_keys(ids: list[str]) -> None:
    scheme = Scheme("2026-01-01")
    intervals = [Interval.parse("2026-03-29"), Interval.parse("2026-03")]
    keys = [str(scheme.key(system_id, interval)) for system_id in ids for interval in intervals]
    assert set(scheme.members(keys, [])) == {(system_id, interval) for system_id in ids for interval in intervals}


def test_plain_ids_stay_readable() -> None:
    assert encoded("0e9a-4c_b.7") == "0e9a-4c_b.7"


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(), unique=True, max_size=50))
def test_buckets_hold_every_system_once(ids: list[str]) -> None:
    scheme = Scheme("2026-01-01", buckets=8)
    with dg.DagsterInstance.ephemeral() as instance:
        keys = [f"2026-03-29|{bucket}" for bucket in scheme.system_keys(instance)]
        assert len(keys) == 8
        assert scheme.new_keys(ids, instance) == []
    members = scheme.members(keys, ids)
    assert set(members) == {(system_id, Interval.parse("2026-03-29")) for system_id in ids}
    assert {str(key) for key in members.values()} <= set(keys)


def test_a_day_is_there_as_soon_as_it_has_begun_anywhere() -> None:
    days = Scheme("2026-10-01").days.get_partitions_def_for_dimension("day")
    months = Scheme("2026-10-15").months.get_partitions_def_for_dimension("month")
    before, after = datetime(2026, 10, 31, 9, 59, tzinfo=UTC), datetime(2026, 10, 31, 10, 0, tzinfo=UTC)
    assert days.get_partition_keys(before)[-1] == "2026-10-31"
    assert days.get_partition_keys(after)[-1] == "2026-11-01"
    assert days.get_partition_keys(after)[0] == "2026-10-01"
    assert months.get_partition_keys(before) == ["2026-10"]
    assert months.get_partition_keys(after) == ["2026-10", "2026-11"]


def test_days_before_the_start_have_no_partition() -> None:
    scheme = Scheme("2026-10-15")
    assert [
        label for label in ("2026-10-14", "2026-10-15", "2026-09", "2026-10") if scheme.holds(Interval.parse(label))
    ] == [
        "2026-10-15",
        "2026-10",
    ]
