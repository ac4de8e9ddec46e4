"""How much is loaded at once: segments of a transaction, and which looks are read together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from hem_etl.answer import Key, Receipt

SEGMENTS_PER_TRANSACTION: Final = 16
"""DuckDB writes what fills a row group once, and what does not three times (log, table, checkpoint)."""
BODIES_PER_BATCH: Final = 500
"""Bodies in memory at once: 40 MB, and five times that as frames."""

T = TypeVar("T")


def parts(looks: Sequence[Receipt], halts: Callable[[Receipt], bool] = lambda look: False) -> Iterator[list[Receipt]]:
    """Looks in the order of time: of each system those up to the second at an interval, or the first that `halts`."""
    waiting = looks
    while waiting:
        part: list[Receipt] = []
        left: list[Receipt] = []
        taken: set[Key] = set()
        halted: set[str] = set()
        for look in waiting:
            system_id = look.key[0]
            if look.key in taken or system_id in halted or len(part) == BODIES_PER_BATCH:
                left.append(look)
                halted.add(system_id)
                continue
            part.append(look)
            taken.add(look.key)
            if halts(look):
                halted.add(system_id)
        yield part
        waiting = left


def chunks(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """`itertools.batched`, which Python 3.11 lacks."""
    rest = iter(items)
    while chunk := tuple(islice(rest, size)):
        yield chunk
