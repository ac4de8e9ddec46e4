"""How far a run is, on a terminal or in a file of lines. Standard error, so that data can be piped."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from hem_etl.cli.output import ERR, printable, say

LINE_EVERY_SECONDS: Final = 10.0


def seconds_left(done: int, total: int, elapsed_seconds: float, silent_seconds: float) -> float | None:
    """By the rate so far; and while nothing comes, not less than it has been silent for. None before the first."""
    if not done or not total:
        return None
    left = max(total - done, 0)
    return max(elapsed_seconds / done * left, silent_seconds if left else 0.0)


class _TimeLeft(ProgressColumn):
    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic

    def render(self, task: Task) -> Text:
        now = self._monotonic()
        left = seconds_left(
            int(task.completed), int(task.total or 0), now - task.fields["began"], now - task.fields["advanced"]
        )
        return Text("" if left is None or task.finished else f"about {timedelta(seconds=round(left))} left")


class TerminalProgress(AbstractContextManager["TerminalProgress"]):
    """Bars with the time left on a terminal, a plain line now and then elsewhere; in both what is being waited for."""

    def __init__(self, console: Console = ERR, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._bars: Progress | None = None
        if console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                _TimeLeft(monotonic),
                TextColumn("{task.fields[note]}", style="dim"),
                console=console,
            )
        self._step, self._total = "", 0
        self._began = self._told_at = self._noted_at = self._advanced = monotonic()

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def begin(self, step: str, total: int | None) -> None:
        """A step begins, and is told at once."""
        self._step, self._total = step, total or 0
        self._began = self._told_at = self._advanced = self._monotonic()
        self._noted_at = self._began - LINE_EVERY_SECONDS
        if self._bars:
            for task in self._bars.tasks:
                self._bars.update(task.id, total=task.total or task.completed, visible=bool(task.total), note="")
            self._task = self._bars.add_task(step, total=total, note="", began=self._began, advanced=self._began)
        else:
            say(f"{step}: {total} to do" if total else step)

    def advance(self, done: int) -> None:
        """So many of the step's parts are done."""
        now = self._advanced = self._monotonic()
        if self._bars:
            self._bars.update(self._task, completed=done, advanced=now, note="")
        elif now - self._told_at >= LINE_EVERY_SECONDS:
            self._told_at = now
            left = seconds_left(done, self._total, now - self._began, 0.0)
            say(f"{self._step}: {done}/{self._total}" + ("" if left is None else f", about {left:.0f} s left"))

    def note(self, text: str) -> None:
        """What is being waited for; of many such lines one in ten seconds."""
        now = self._monotonic()
        if self._bars:
            self._bars.update(self._task, note=printable(text))
        elif now - self._noted_at >= LINE_EVERY_SECONDS:
            self._noted_at = now
            say(f"{self._step}: {printable(text)}")
