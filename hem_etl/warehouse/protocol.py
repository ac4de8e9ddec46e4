"""What a warehouse can do, whatever keeps it: the verbs that the road and the doors know."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

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


NOTHING_TO_MAINTAIN: Final = "Nothing to do: each publish gives back what is not needed any more."


@dataclass(frozen=True, slots=True)
class Maintained:
    """What maintenance did."""

    snapshots_expired: int
    files_removed: int
    files_before: int
    """That the tables consisted of, and of which they do since."""
    files_after: int
    bytes_before: int
    bytes_after: int
    files_waiting: int
    """That no snapshot needs any more, and that are removed when they are old enough."""

    def __str__(self) -> str:
        return (
            f"The tables are {self.files_after} files of {self.bytes_after / 1e6:.1f} MB, before "
            f"{self.files_before} of {self.bytes_before / 1e6:.1f} MB. {self.snapshots_expired} snapshots expired, "
            f"{self.files_removed} files were removed, {self.files_waiting} wait for their age."
        )


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

    def maintain(self) -> Maintained | None:
        """Give back what is not needed any more. None: that is done at each publish, there is nothing to do.

        What was published last stays, and for some days what readers may have attached before that. HemEtlError where
        the tables are not what they were; errors as `writing`.
        """

    def describe(self) -> Description:
        """Where it is and how large; opens no table. HemEtlError where a lake's catalogue cannot be asked."""
