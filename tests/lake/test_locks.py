"""Locks, turns and the budget between machines: each test has a second process, as if it were another machine."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from postgres import PASSWORD
from pydantic import SecretStr

from hem_etl.enode.gate import Stopped
from hem_etl.errors import HemEtlError
from hem_etl.locks import BusyError
from hem_etl.locks.postgres import PostgresBudget, PostgresLock, PostgresTurns

pytestmark = pytest.mark.services

BEGINS = """
import sys, time
from pydantic import SecretStr
from hem_etl.locks.postgres import PostgresLock, PostgresTurns
address = SecretStr(sys.argv[1])
"""
HOLDS_A_TURN = """
with PostgresTurns(address).of("home-1", print):
    print("has it", flush=True)
    sys.stdin.readline()
"""
TAKES_TURN_AFTER_TURN = """
turns = PostgresTurns(address)
while True:
    with turns.of("home-1", time.sleep):
        print("has it", flush=True)
        time.sleep(0.01)
"""
HOLDS_THE_LOCK = """
with PostgresLock(address, "the lake").hold() as note:
    note("process 7 on machine-b")
    print("has it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def turns(url: str) -> Iterator[PostgresTurns]:
    turns = PostgresTurns(SecretStr(url))
    yield turns
    turns.close()


@contextmanager
def other(program: str, url: str) -> Iterator["subprocess.Popen[str]"]:
    """A second process that has what it wants when this begins."""
    child = subprocess.Popen(
        [sys.executable, "-c", BEGINS + program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "has it\n"
            yield child
        finally:
            child.kill()


def test_another_machine_waits_for_the_same_system_only(turns: PostgresTurns, url: str) -> None:
    with other(HOLDS_A_TURN, url) as child:
        with turns.of("home-2", pytest.fail):
            pass
        waits = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                child.communicate("\n")
            elif len(waits) > 3:
                threading.Event().wait(seconds)

        with turns.of("home-1", pause):
            assert len(waits) >= 3


def test_a_turn_ends_with_its_process(turns: PostgresTurns, url: str) -> None:
    with other(HOLDS_A_TURN, url) as child:
        child.kill()
        child.wait()
        with turns.of("home-1", threading.Event().wait):
            pass


def test_nobody_takes_turn_after_turn_while_another_waits(turns: PostgresTurns, url: str) -> None:
    with other(TAKES_TURN_AFTER_TURN, url):
        for _ in range(5):
            with turns.of("home-1", threading.Event().wait):
                pass


def test_who_stops_waiting_leaves_the_line(turns: PostgresTurns, url: str) -> None:
    def stop(_: float) -> None:
        raise Stopped

    with other(HOLDS_A_TURN, url) as child:
        with pytest.raises(Stopped), turns.of("home-1", stop):
            pass
        child.communicate("\n")
        with other(TAKES_TURN_AFTER_TURN, url):
            pass


def test_the_lock_names_its_holder_and_ends_with_it(url: str) -> None:
    lock = PostgresLock(SecretStr(url), "the lake")
    assert lock.holder() is None
    with other(HOLDS_THE_LOCK, url) as child:
        assert lock.holder() == "process 7 on machine-b"
        with pytest.raises(BusyError) as busy, lock.hold():
            pass
        assert busy.value.holder == "process 7 on machine-b"
        child.kill()
        child.wait()
        patient = PostgresLock(SecretStr(url), "the lake", wait_seconds=900)
        with patient.hold():
            assert lock.holder() is not None
    assert lock.holder() is None


def test_locks_of_another_name_or_database_are_others(url: str, server: object) -> None:
    with PostgresLock(SecretStr(url), "the lake").hold(), PostgresLock(SecretStr(url), "something else").hold():
        pass


def test_requests_of_all_workers_come_one_after_the_other(url: str) -> None:
    workers = [PostgresBudget(SecretStr(url), 0.01) for _ in range(3)]
    waits = [worker.reserve() for worker in workers * 2]
    for worker in workers:
        worker.close()
    assert waits[0] == 0
    # a request every 100 s; no machine is so slow that the third is not still behind the second
    assert all(100 * n - 90 < wait <= 100 * n for n, wait in enumerate(waits) if n), waits


def test_what_is_refused_never_tells_the_password(url: str) -> None:
    wrong = SecretStr(url.replace("s3cr", "wr0ng"))
    for verb in (PostgresTurns(wrong).of("home-1", print).__enter__, PostgresLock(wrong, "the lake").holder):
        with pytest.raises(HemEtlError, match="HEM_ETL_LAKE_CATALOG") as refused:
            verb()
        told = f"{refused.value!r} {refused.value.__cause__!r}"
        assert "ss'w" not in told
        assert "wr0ng" not in told
    assert PASSWORD not in repr(wrong)
