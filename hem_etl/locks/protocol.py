"""What a lock, a turn and a budget can do, whoever keeps them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

SOMEBODY: Final = "another process"
"""How people are told of a holder that has noted nothing."""

Note = Callable[[str], None]
"""Writes what others shall read of the holder."""


class BusyError(Exception):
    """Somebody else holds the lock."""

    def __init__(self, holder: str, waited_seconds: float) -> None:
        self.holder = holder
        self.waited_seconds = waited_seconds
        super().__init__(f"held by {holder}, waited {waited_seconds:.0f} s")


class Lock(Protocol):
    """One holder at a time, over all processes."""

    def hold(self) -> AbstractContextManager[Note]:
        """Wait for it and hold it; BusyError when its holder does not let go in time."""

    def holder(self) -> str | None:
        """What the holder has noted; empty where it noted nothing. None: nobody holds it."""


class Turns(Protocol):
    """One look at a system at a time, over all processes."""

    def of(self, system_id: str, pause: Callable[[float], object]) -> AbstractContextManager[None]:
        """Waits, by `pause`, until no other process looks at this system, and keeps the others waiting."""

    def close(self) -> None:
        """Leaves every turn."""


class Budget(Protocol):
    """How many requests a second are sent, by all that share it."""

    def reserve(self) -> float:
        """Seconds until one more request may be sent; the place is taken."""

    def close(self) -> None:
        """Nothing more is reserved."""
