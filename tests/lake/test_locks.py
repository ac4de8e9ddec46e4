"""Locks, turns and the budget between machines: each test has a second process, as if it were another machine."""

import threading
from collections.abc import Iterator

import pytest
from postgres import PASSWORD
from pydantic import SecretStr
from turns import HOLDS_A_TURN, Other, TurnsOfProcesses, second_process

from hem_etl.errors import HemEtlError
from hem_etl.locks import BusyError, Patience
from hem_etl.locks.postgres import PostgresBudget, PostgresLock, PostgresTurns

pytestmark = pytest.mark.services

BEGINS = """
from pydantic import SecretStr
from hem_etl.locks.postgres import PostgresLock, PostgresTurns
address = SecretStr(sys.argv[1])
turns = PostgresTurns(address)
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


@pytest.fixture
def other(url: str) -> Other:
    return lambda program: second_process(BEGINS + program, url)


class TestTurns(TurnsOfProcesses):
    pass


def test_another_machine_waits_for_the_same_system_only(turns: PostgresTurns, other: Other) -> None:
    with other(HOLDS_A_TURN) as child:
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


def test_a_turn_ends_with_its_process(turns: PostgresTurns, other: Other) -> None:
    with other(HOLDS_A_TURN) as child:
        child.kill()
        child.wait()
        with turns.of("home-1", threading.Event().wait):
            pass


def test_the_lock_names_its_holder_and_ends_with_it(url: str, other: Other) -> None:
    lock = PostgresLock(SecretStr(url), "the lake")
    assert lock.holder() is None
    with other(HOLDS_THE_LOCK) as child:
        assert lock.holder() == "process 7 on machine-b"
        with pytest.raises(BusyError) as busy, lock.hold():
            pass
        assert busy.value.holder == "process 7 on machine-b"
        child.kill()
        child.wait()
        patient = PostgresLock(SecretStr(url), "the lake", Patience(900))
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
