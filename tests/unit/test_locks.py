"""Turns between processes: locks of the operating system, so every test has a second process."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hem_etl.enode.gate import Stopped
from hem_etl.locks import FileTurns

HOLDS = """
import sys
from pathlib import Path
from hem_etl.locks import FileTurns
with FileTurns(Path(sys.argv[1])).of("home-1", print):
    print("has it", flush=True)
    sys.stdin.readline()
"""
TAKES_TURN_AFTER_TURN = """
import sys, time
from pathlib import Path
from hem_etl.locks import FileTurns
turns = FileTurns(Path(sys.argv[1]))
while True:
    with turns.of("home-1", time.sleep):
        print("has it", flush=True)
        time.sleep(0.01)
"""


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[FileTurns]:
    turns = FileTurns(tmp_path / "work" / "turns.lock")
    yield turns
    turns.close()


@contextmanager
def other(program: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A second process that has the turn of home-1 when this begins."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "work" / "turns.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "has it\n"
            yield child
        finally:
            child.kill()


def test_another_process_waits_for_the_same_system_only(turns: FileTurns, tmp_path: Path) -> None:
    with other(HOLDS, tmp_path) as child:
        with turns.of("home-2", pytest.fail):
            pass
        waits = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                child.communicate("\n")

        with turns.of("home-1", pause):
            assert len(waits) == 3


def test_a_turn_ends_with_its_process(turns: FileTurns, tmp_path: Path) -> None:
    with other(HOLDS, tmp_path) as child:
        child.kill()
        child.wait()
        with turns.of("home-1", pytest.fail):
            pass


def test_nobody_takes_turn_after_turn_while_another_waits(turns: FileTurns, tmp_path: Path) -> None:
    with other(TAKES_TURN_AFTER_TURN, tmp_path):
        for _ in range(5):
            with turns.of("home-1", threading.Event().wait):
                pass


def test_who_stops_waiting_leaves_the_line(turns: FileTurns, tmp_path: Path) -> None:
    def stop(_: float) -> None:
        raise Stopped

    with other(HOLDS, tmp_path) as child:
        with pytest.raises(Stopped), turns.of("home-1", stop):
            pass
        child.communicate("\n")
        with other(TAKES_TURN_AFTER_TURN, tmp_path):
            pass
