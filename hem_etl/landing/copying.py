"""Landing from one place to another: every segment and mark, each proved to be the same there.

It may be killed and repeated at any time: what is there already is compared, not copied.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hem_etl.errors import LandingError, UsageError
from hem_etl.landing.bucket import in_parallel, md5
from hem_etl.landing.places import DISTRUSTED, Place, other_bytes


@dataclass(frozen=True, slots=True)
class Copied:
    """What the target holds afterwards of all that the source held when it began."""

    source: str
    target: str
    segments: int
    marks: int
    segment_bytes: int
    copied: int
    """Segments and marks that were not there before."""
    landed_meanwhile: int
    """Segments and marks that came into the source since, and are not in the target."""
    only_in_target: int

    @property
    def is_equal(self) -> bool:
        return not self.landed_meanwhile and not self.only_in_target

    def __str__(self) -> str:
        told = (
            f"{self.target} holds all {self.segments} segments ({self.segment_bytes / 1e6:.1f} MB) and {self.marks} "
            f"marks of {self.source}, each proved by its hash; {self.copied} were copied now."
        )
        if self.landed_meanwhile:
            told += f" {self.landed_meanwhile} more were landed meanwhile: run again."
        if self.only_in_target:
            told += f" It holds {self.only_in_target} that {self.source} lacks."
        return f"{told} Both are equal." if self.is_equal else told


def copy_landing(
    source: Place, target: Place, on_copied: Callable[[int, int], None] = lambda done, total: None
) -> Copied:
    """Copy what the target lacks; `on_copied(done, total)` is told of each segment and mark, copied or there before.

    LandingError where the target keeps other bytes by a name, and where either place fails. UsageError where there is
    nothing to copy: a misspelt source must not read as a copy that is whole.
    """
    if source.name == target.name:
        raise UsageError(f"{source.name} cannot be copied to itself: name another place.")
    source.send()
    here, there = source.listed(), target.listed()
    marks = sorted(name for name in here if name.endswith(DISTRUSTED))
    segments = sorted(here.keys() - set(marks))
    if not segments:
        raise UsageError(
            f"nothing was copied: {source.name} is not there or holds no segment. Let --from name the place that holds "
            "them; without it, that is HEM_ETL_LANDING, or the folder landing in HEM_ETL_HOME."
        )

    def copy(name: str) -> int:
        return _copy(source, target, name, here[name], there)

    # marks first: nobody who reads the target meanwhile believes what is not to be believed
    in_parallel(copy, marks, lambda done: on_copied(done, len(here)))
    sizes = in_parallel(copy, segments, lambda done: on_copied(len(marks) + done, len(here)))
    here_now, there_now = source.listed().keys(), target.listed().keys()
    if lost := here.keys() - there_now:
        raise LandingError(f"{target.name} has lost {min(lost)} since it was copied there: run again.")
    return Copied(
        source=source.name,
        target=target.name,
        segments=len(segments),
        marks=len(marks),
        segment_bytes=sum(sizes),
        copied=len(here.keys() - there.keys()),
        landed_meanwhile=len(here_now - there_now),
        only_in_target=len(there_now - here_now),
    )


def _copy(source: Place, target: Place, name: str, tag: str | None, there: dict[str, str | None]) -> int:
    """Have this segment or mark in the target, and prove it; its size."""
    # a store's tag proves equality where it is the MD5 of the bytes; where it is not, the bytes are read from both
    if name in there and tag is not None and md5(content := target.read(name)) == tag:
        return len(content)
    content = source.read(name)
    kept = there[name] if name in there else target.create(name, content)
    if kept != md5(content) and target.read(name) != content:
        raise LandingError(other_bytes(name, target.name))
    return len(content)
