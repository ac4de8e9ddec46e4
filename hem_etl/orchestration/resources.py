"""Resources: how an asset gets a road to walk. A plain object that reads the settings when a run starts, not before."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

import dagster as dg

from hem_etl.errors import HemEtlError, told_of_this_machine
from hem_etl.pipeline import Road, make_client
from hem_etl.settings import Settings, load_settings

STEPS_TOLD: Final = 10
"""A long step tells how far it is about so many times."""


class Roads(Protocol):
    """Gives roads; tests give one through a simulated world."""

    def settings(self) -> Settings:
        """The settings as they are now."""

    def open(self, log: logging.Logger, *, is_part: bool = False) -> AbstractContextManager[Road]:
        """A road with a client. What goes wrong on purpose inside becomes a `dg.Failure` that says the next step.

        is_part: see `Road`.
        """


class RoadsBySettings:
    """The roads that the environment (or `.env`) describes."""

    def settings(self) -> Settings:
        return load_settings()

    @contextmanager
    def open(self, log: logging.Logger, *, is_part: bool = False) -> Iterator[Road]:
        with told_plainly():
            settings = self.settings()
            with make_client(settings) as client:
                yield Road(settings, client=client, progress=LoggedProgress(log), is_part=is_part)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Errors that we raise on purpose say what to do next: a person sees that text, and no retry hides it.

    So does a disk that refuses.
    """
    try:
        yield
    except HemEtlError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except OSError as error:
        if (told := told_of_this_machine(error)) is None:
            raise
        raise dg.Failure(told, allow_retries=False) from error


class LoggedProgress:
    """How far a run is, as lines of its log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._step, self._total, self._logged = "", 0, 0

    def begin(self, step: str, total: int | None) -> None:
        self._step, self._total, self._logged = step, total or 0, 0
        if total is None or total >= STEPS_TOLD:
            self._log.info("%s%s", step, f": {total}" if total else "")

    def note(self, text: str) -> None:
        self._log.info("%s", text)

    def advance(self, done: int) -> None:
        share = done * STEPS_TOLD // self._total if self._total >= STEPS_TOLD else 0
        if share > self._logged:
            self._logged = share
            self._log.info("%s: %d of %d", self._step, done, self._total)
