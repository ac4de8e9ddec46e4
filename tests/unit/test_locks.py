"""Turns between processes: locks of the operating system, so every test has a second process."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from turns import HOLDS_A_TURN, Other, TurnsOfProcesses, second_process

from hem_etl.errors import HemEtlError
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


def test_who_may_not_open_the_file_is_told_and_does_not_wait_for_ever(
    turns: FileTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal to open and a turn that another process holds are the same PermissionError."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(HemEtlError, match="turns.lock .Permission denied: give this user access"):
        turns.of("home-1", pytest.fail).__enter__()


def test_a_turn_ends_with_its_process(turns: FileTurns, other: Other) -> None:
    with other(HOLDS_A_TURN) as child:
        child.kill()
        child.wait()
        with turns.of("home-1", pytest.fail):
            pass
