"""Progress: what is waited for is told at once, the time left never stands still, log lines go above the bars."""

import io
import logging

import pytest
from rich.console import Console

from hem_etl.cli.output import set_up_logging
from hem_etl.cli.progress import TerminalProgress, seconds_left


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "silent", "left"),
    [(0, 10, 5, 5, None), (5, 10, 50, 0, 50), (99, 100, 99, 0, 1), (99, 100, 279, 180, 180), (10, 10, 50, 40, 0)],
)
def test_the_time_left_grows_while_nothing_comes(
    done: int, total: int, elapsed: float, silent: float, left: float | None
) -> None:
    assert seconds_left(done, total, elapsed, silent) == left


def test_a_file_of_lines_tells_each_step_and_what_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    with TerminalProgress(Console(file=io.StringIO()), time) as progress:
        progress.begin("systems", None)
        progress.note("no good answer (ConnectError): trying again in 1 s")
        progress.note("not told: so soon after the other")
        time.now = 11
        progress.note("told again\x1b[31m")
        progress.begin("statistics", 10)
        time.now = 31
        progress.advance(4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "systems"
    assert lines[1].startswith("systems: no good answer")
    assert lines[2] == "systems: told again\\x1b[31m"
    assert lines[3:] == ["statistics: 10 to do", "statistics: 4/10, about 30 s left"]


def test_a_terminal_shows_the_note_beside_the_bar() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=200)
    with TerminalProgress(console, Time()) as progress:
        progress.begin("statistics", 10)
        progress.advance(3)
        progress.note("no good answer (503): trying again in 8 s")
    assert "3/10" in shown.getvalue()
    assert "trying again in 8 s" in shown.getvalue()


def test_a_log_line_goes_to_whatever_standard_error_is_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    set_up_logging(0)
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)
    logging.getLogger("hem_etl.somewhere").warning("a line")
    assert "a line" in later.getvalue()
