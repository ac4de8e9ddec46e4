"""The limits that all requests of a client share."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from waits import GENEROUS_SECONDS

from hem_etl.enode.gate import Gate, Stopped

"""Seconds (real) after which a thread that should have moved is taken for stuck; never waited out when all is well."""


def in_thread(work: Callable[[], Any]) -> "threading.Thread":
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_no_more_requests_than_slots_are_in_flight() -> None:
    gate = Gate(3)
    lock = threading.Lock()
    in_flight, most = 0, 0
    full = threading.Barrier(3)

    def request(number: int) -> None:
        nonlocal in_flight, most
        with gate.slot():
            with lock:
                in_flight += 1
                most = max(most, in_flight)
            full.wait(GENEROUS_SECONDS)  # goes on only when three are inside
            with lock:
                in_flight -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(request, range(12)))
    assert most == 3
    assert gate.requests_made == 12
    assert gate.wait_until_idle(0)


def test_requests_are_sent_at_the_budget_and_no_credit_is_saved_up(time: Any) -> None:
    gate = Gate(16, 4, monotonic=time.monotonic, sleep=time.sleep)
    sent = []
    for _ in range(4):
        with gate.slot():
            sent.append(time.monotonic())
    time.pass_seconds(60)
    for _ in range(3):
        with gate.slot():
            sent.append(time.monotonic())
    began = sent[0]
    assert [at - began for at in sent] == [0.0, 0.25, 0.5, 0.75, 60.75, 61.0, 61.25]


def test_a_budget_that_is_shared_with_others_takes_the_place_of_its_own(time: Any) -> None:
    class Shared:
        def reserve(self) -> float:
            return 7.0

        def close(self) -> None:
            raise AssertionError("it is not the gate's to close")

    gate = Gate(3, 1.0, budget=Shared(), monotonic=time.monotonic, sleep=time.sleep)
    before = time.monotonic()
    for _ in range(2):
        with gate.slot():
            pass
    assert time.monotonic() - before == 14.0


def test_threads_that_share_a_budget_get_a_turn_each() -> None:
    waits: list[float] = []
    gate = Gate(16, 2, monotonic=lambda: 100.0, sleep=waits.append)

    def request(_: int) -> None:
        with gate.slot():
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(request, range(8)))
    assert sorted(waits) == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]


def test_one_thread_at_a_time_looks_at_a_system() -> None:
    gate = Gate(16)
    inside, other_inside = threading.Event(), threading.Event()
    leave = threading.Event()
    order: list[str] = []

    def first() -> None:
        with gate.only_look_at("home-1"):
            inside.set()
            leave.wait(GENEROUS_SECONDS)
            order.append("first")

    def second() -> None:
        with gate.only_look_at("home-1"):
            order.append("second")

    def other() -> None:
        with gate.only_look_at("home-2"):
            other_inside.set()

    threads = [in_thread(first)]
    assert inside.wait(GENEROUS_SECONDS)
    threads += [in_thread(second), in_thread(other)]
    assert other_inside.wait(GENEROUS_SECONDS)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join(GENEROUS_SECONDS)
    assert order == ["first", "second"]


def test_a_closed_system_opens_by_itself_and_closing_never_shortens(time: Any) -> None:
    gate = Gate(16, monotonic=time.monotonic, sleep=time.sleep)
    assert gate.closed_seconds("home-1") == 0
    gate.close_system("home-1", 100)
    gate.close_system("home-1", 10)
    time.pass_seconds(30)
    assert gate.closed_seconds("home-1") == 70
    assert gate.closed_seconds("home-2") == 0
    time.pass_seconds(70)
    assert gate.closed_seconds("home-1") == 0


class WatchedGate(Gate):
    """Tells when somebody has found that there is nothing for him: he waits as soon as he lets go of the lock."""

    def __init__(self, max_in_flight: int) -> None:
        self.found_closed = threading.Semaphore(0)
        super().__init__(max_in_flight)

    @property
    def is_stopped(self) -> bool:
        self.found_closed.release()
        return super().is_stopped


def test_stop_wakes_whoever_waits_for_anything() -> None:
    gate = WatchedGate(1)
    holds, ended = threading.Event(), threading.Event()
    caught: list[str] = []

    def expect_stop(name: str, work: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except Stopped:
                caught.append(name)

        return in_thread(run)

    def wait_for_slot() -> None:
        with gate.slot():
            pass

    def wait_for_system() -> None:
        with gate.only_look_at("home-1"):
            pass

    def hold_everything() -> None:
        with gate.only_look_at("home-1"), gate.slot():
            holds.set()
            ended.wait()

    holder = in_thread(hold_everything)
    assert holds.wait(GENEROUS_SECONDS)
    threads = [
        expect_stop("pause", lambda: gate.pause(1e6)),
        expect_stop("slot", wait_for_slot),
        expect_stop("system", wait_for_system),
    ]
    for _ in ("slot", "system"):
        assert gate.found_closed.acquire(timeout=GENEROUS_SECONDS)
    gate.stop()
    for thread in threads:
        thread.join(GENEROUS_SECONDS)
    assert sorted(caught) == ["pause", "slot", "system"]
    ended.set()
    holder.join(GENEROUS_SECONDS)
    with pytest.raises(Stopped):
        wait_for_slot()
    assert gate.wait_until_idle(0)


def test_a_failure_inside_gives_slot_and_system_back() -> None:
    gate = Gate(1)
    for _ in range(2):
        with pytest.raises(KeyError), gate.only_look_at("home-1"), gate.slot():
            raise KeyError
    assert gate.wait_until_idle(0)
