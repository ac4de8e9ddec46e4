"""The arithmetic of waits."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hem_etl.enode.retry import retry_after_seconds, wait_before_next

NOW = datetime(2026, 3, 29, 6, 0, tzinfo=UTC)


def wait(
    tries: int,
    elapsed: float = 0.0,
    asked: float | None = None,
    jitter: float = 0.5,
    budget: float = 300.0,
    **most: int | None,
) -> float | None:
    return wait_before_next(tries, elapsed, retry_after_seconds=asked, budget_seconds=budget, jitter=jitter, **most)


@settings(deadline=None, max_examples=50)
@given(tries=st.integers(1, 7), jitter=st.floats(0, 1, exclude_max=True))
def test_each_wait_doubles_and_is_spread_by_half_to_both_sides(tries: int, jitter: float) -> None:
    middle = 0.5 * 2 ** (tries - 1)
    seconds = wait(tries, jitter=jitter)
    assert seconds is not None
    assert min(60.0, middle * 0.5) <= seconds <= min(60.0, middle * 1.5)


@settings(deadline=None, max_examples=50)
@given(
    tries=st.integers(1, 4),
    elapsed=st.floats(0, 1e6),
    asked=st.none() | st.floats(0, 300),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_nobody_is_given_up_before_five_tries(tries: int, elapsed: float, asked: float | None, jitter: float) -> None:
    seconds = wait(tries, elapsed, asked, jitter)
    assert seconds is not None
    assert seconds >= (asked or 0.0)


@settings(deadline=None, max_examples=50)
@given(tries=st.integers(5, 5000), elapsed=st.floats(0, 1e6), asked=st.none() | st.floats(0, 1e9))
def test_from_the_fifth_try_on_no_wait_ends_past_the_budget(tries: int, elapsed: float, asked: float | None) -> None:
    seconds = wait(tries, elapsed, asked, most_tries=None)
    assert seconds is None or elapsed + seconds <= 300.0


@pytest.mark.parametrize(("tries", "gives_up"), [(7, False), (8, True), (9, True)])
def test_eight_tries_are_the_most(tries: int, gives_up: bool) -> None:
    assert (wait(tries) is None) is gives_up


@pytest.mark.parametrize("tries", [1, 4, 5])
def test_a_server_that_asks_for_more_than_the_budget_is_not_asked_again(tries: int) -> None:
    assert wait(tries, asked=300.1) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("Sun, 29 Mar 2026 06:01:15 GMT", 75.0),
        ("Sun, 29 Mar 2026 08:01:15 +0200", 75.0),
        ("Sun, 29 Mar 2026 06:01:15 -0000", 75.0),
        ("Sun, 29 Mar 2026 05:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
