"""What a warehouse can do, whatever keeps it: the verbs that the road and the doors know."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hem_etl.warehouse.rows import Reader, Writer


@dataclass(frozen=True, slots=True)
class Description:
    """What a person wants to know of a warehouse."""

    published: str
    """Where people query."""
    published_bytes: int | None
    """None: nothing is published yet."""
    is_begun: bool
    """Whether the writer has tables."""
    folders: Mapping[Path, str]
    """Folders of this machine that it writes to, and the setting that names each."""
    owned: tuple[Path, ...]
    """Files and folders of this machine that hold it and nothing else."""
    room_to_publish: int
    """Bytes that the next publish takes on this machine besides what it writes."""
    attach: str
    """What a DuckDB client runs to read what is published; never a secret."""


class Warehouse(Protocol):
    """One writer at a time; readers see what was published last, whole, until they open anew."""

    def writing(self) -> AbstractContextManager[Writer]:
        """The writer's tables, under the lock. Never hold it across a network wait.

        Raises WriterBusyError, which names the holder, when another process does not let go in time.
        """

    @contextmanager
    def publishing(self) -> Iterator[Writer]:
        """Like `writing`; at its end readers get what the tables then hold, unless the block raised."""
        with self.writing() as writer:
            yield writer
            writer.publish()

    def is_current(self) -> bool:
        """Whether readers have what this writer published last: nobody put another in its place, nothing was killed.

        What changed since then is the writer's `changes`.
        """

    def reading(self) -> AbstractContextManager[Reader]:
        """What is published. HemEtlError where nothing is yet, or where it cannot be read."""

    def is_published(self) -> bool:
        """Whether there is anything to read."""

    def holder(self) -> str | None:
        """Who writes now, for people; None: nobody."""

    def reset(self, *, is_torn: bool = False) -> str | None:
        """Forget the writer's tables: a rebuild begins with nothing. What is published stays until the next publish.

        Tables that are torn are kept beside; returns where, if anywhere.
        """

    def describe(self) -> Description:
        """Where it is and how large; opens nothing."""
