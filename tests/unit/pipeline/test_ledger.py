"""The ledger's rules: states, versions, and when an interval is asked again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hem_etl.answer import Kind, Receipt
from hem_etl.local_day import Interval
from hem_etl.pipeline.ledger import Entry, is_due

DAY = Interval.parse("2026-11-09")
END = datetime(2026, 11, 9, 23)  # Berlin
LOOK = Receipt("a.parquet", Kind.DAY, "home", DAY, 0, None, END, 80, 1, 200, None, None, "a" * 64)
SETTLE_DAYS = 7


def look(hours: float, **facts: Any) -> Receipt:
    """A look so many hours after the day's end."""
    return replace(LOOK, fetched_at_utc=END + timedelta(hours=hours), **facts)


def answered(*hours: float, **facts: Any) -> Entry:
    entry = Entry("home", DAY)
    for at in hours:
        entry = entry.after_answer(look(at, **facts), "loaded", None, "Europe/Berlin", SETTLE_DAYS)
    return entry


@pytest.mark.parametrize(
    ("hours", "state"), [(-1, "open"), (0, "provisional"), (7 * 24 - 1, "provisional"), (7 * 24, "settled")]
)
def test_the_state_follows_the_age_of_the_newest_answer(hours: float, state: str) -> None:
    assert answered(hours).state == state
    assert answered(hours).ends_at_utc == END


def test_an_accepted_answer_never_settles() -> None:
    assert answered(9 * 24, http_status=202).state == "provisional"


def test_a_failure_never_settles_and_never_unsettles() -> None:
    failed = answered(1).after_failure(look(9 * 24), "unreachable", "503", "Europe/Berlin", SETTLE_DAYS)
    assert (failed.state, failed.outcome, failed.answered_at_utc) == (
        "provisional",
        "unreachable",
        END + timedelta(hours=1),
    )
    settled = answered(8 * 24).after_failure(look(9 * 24), "unreachable", "503", "Europe/Berlin", SETTLE_DAYS)
    assert settled.state == "settled"


def test_a_failed_look_keeps_what_the_tables_hold() -> None:
    held = answered(1).with_content("c" * 64, "loaded", "Europe/Berlin", END)
    failed = held.after_failure(look(30, http_status=503), "unreachable", "503", None, SETTLE_DAYS)
    for name in ("payload_sha256", "version", "content_sha256", "loaded_outcome", "timezone", "loaded_at_utc"):
        assert getattr(failed, name) == getattr(held, name), name


def test_without_a_zone_a_day_is_over_when_it_is_over_everywhere() -> None:
    entry = Entry("home", DAY).after_failure(look(0), "refused", None, None, SETTLE_DAYS)
    assert entry.ends_at_utc == datetime(2026, 11, 10, 12)


def test_a_month_ends_with_its_last_local_day() -> None:
    entry = Entry("home", Interval.parse("2026-11")).after_answer(
        look(0), "loaded", None, "America/New_York", SETTLE_DAYS
    )
    assert (entry.ends_at_utc, entry.state) == (datetime(2026, 12, 1, 5), "open")


@pytest.mark.parametrize(
    ("answer_hours", "now_hours", "due"),
    [
        (None, 1, True),  # never fetched
        (-3, -2.5, False),  # running, asked half an hour ago
        (-3, -2, True),  # running, asked an hour ago
        (-1, 0, True),  # it has ended since
        (1, 23, False),
        (1, 24, True),  # a day after the end
        (25, 47, False),
        (25, 48, True),  # two
        (49, 95, False),
        (49, 96, True),  # four
        (97, 191, False),
        (97, 192, True),  # eight
        (192, 10_000, False),  # settled
    ],
)
def test_content_is_asked_again_at_growing_gaps(answer_hours: float | None, now_hours: float, due: bool) -> None:
    entry = None if answer_hours is None else answered(answer_hours)
    assert is_due(entry, END + timedelta(hours=now_hours)) is due


def test_what_never_settles_is_asked_ever_more_seldom() -> None:
    entry = answered(300 * 24, http_status=202)
    assert not is_due(entry, END + timedelta(days=511))
    assert is_due(entry, END + timedelta(days=512))


@pytest.mark.parametrize(
    ("outcome", "is_gone", "due"),
    [
        ("unreachable", False, True),
        ("unreadable", False, True),
        ("refused", False, True),
        ("relink_needed", False, True),
        ("forbidden", False, True),
        ("before_installation", False, False),
        ("unsupported", False, False),
        ("gone", True, False),
        ("gone", False, True),
    ],
)
def test_failures_that_a_fix_elsewhere_could_change_are_asked_again(outcome: str, is_gone: bool, due: bool) -> None:
    entry = Entry("home", DAY).after_failure(look(400), outcome, None, "Europe/Berlin", SETTLE_DAYS)
    assert is_due(entry, END + timedelta(hours=401), is_system_gone=is_gone) is due


def test_versions_count_the_changes() -> None:
    first = answered(1).with_content("a", "loaded", "Europe/Berlin", END)
    second = first.with_content("b", "loaded", "Europe/Berlin", END)
    assert (first.version, second.version) == (1, 2)
