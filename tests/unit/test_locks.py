"""Turns between processes: locks of the operating system, so every test has a second process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from turns import HOLDS_A_TURN, Other, TurnsOfProcesses, second_process

from hem_etl.locks import FileTurns

BEGINS = """
from pathlib import Path
from hem_etl.locks import FileTurns
turns = FileTurns(Path(sys.argv[1]))
"""


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[FileTurns]:
    turns = FileTurns(tmp_path / "work" / "turns.lock")
    yield turns
    turns.close()


@pytest.fixture
def other(tmp_path: Path) -> Other:
    return lambda program: second_process(BEGINS + program, str(tmp_path / "work" / "turns.lock"))


class TestTurns(TurnsOfProcesses):
    pass


def test_another_process_waits_for_the_same_system_only(turns: FileTurns, other: Other) -> None:
    with other(HOLDS_A_TURN) as child:
        with turns.of("home-2", pytest.fail):
            pass
        waits = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                child.communicate("\n")

        with turns.of("home-1", pause):
            assert len(waits) == 3


def test_a_turn_ends_with_its_process(turns: FileTurns, other: Other) -> None:
    with other(HOLDS_A_TURN) as child:
        child.kill()
        child.wait()
        with turns.of("home-1", pytest.fail):
            pass
