"""What holds of turns whoever keeps them, tried with a second process."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from hem_etl.enode.gate import Stopped
from hem_etl.locks import Turns

Other = Callable[[str], AbstractContextManager["subprocess.Popen[str]"]]
"""A second process that runs a program, with `turns` of its own; it has what it wants when this begins."""

HOLDS_A_TURN = """
with turns.of("home-1", print):
    print("has it", flush=True)
    sys.stdin.readline()
"""
TAKES_TURN_AFTER_TURN = """
while True:
    with turns.of("home-1", time.sleep):
        print("has it", flush=True)
        time.sleep(0.01)
"""


@contextmanager
def second_process(program: str, argument: str) -> Iterator["subprocess.Popen[str]"]:
    """Begins when it has said that it has what it wants; `sys.argv[1]` is the argument."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"import sys, time\n{program}", argument],
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


class TurnsOfProcesses:
    """Needs the fixtures `turns` and `other`."""

    def test_nobody_takes_turn_after_turn_while_another_waits(self, turns: Turns, other: Other) -> None:
        with other(TAKES_TURN_AFTER_TURN):
            for _ in range(5):
                with turns.of("home-1", threading.Event().wait):
                    pass

    def test_who_stops_waiting_leaves_the_line(self, turns: Turns, other: Other) -> None:
        def stop(_: float) -> None:
            raise Stopped

        with other(HOLDS_A_TURN) as child:
            with pytest.raises(Stopped), turns.of("home-1", stop):
                pass
            child.communicate("\n")
            with other(TAKES_TURN_AFTER_TURN):
                pass
