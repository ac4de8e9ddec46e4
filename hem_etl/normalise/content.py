"""The fingerprint of a day's normalised content: what the tables will hold, not how it was spelled on the wire.

Made from integers, floats and text alone, so it does not move with the JSON's spelling, the order of points or
series, the batch, the number of threads or the version of a library.
"""

import json
import sys
from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from math import nan

import polars as pl

from hem_etl.normalise.buffers import words_of

_SCHEME = b"hem day 1\n"


def day_hashes(readings: pl.DataFrame, sizes: Sequence[int], facts: Iterable[Sequence[object]]) -> list[str]:
    """One SHA-256 a day. readings: start_utc and values, sorted, `sizes` rows a day; facts: what else is held of it."""
    columns = [
        _little_endian(words)
        for words in words_of(
            readings.select(pl.col("start_utc").dt.timestamp("us"), pl.exclude("start_utc").fill_null(nan))
        )
    ]
    hashes = []
    first = 0
    for size, fact in zip(sizes, facts, strict=True):
        digest = sha256(_SCHEME)
        digest.update(json.dumps(fact, separators=(",", ":")).encode())
        for column in columns:
            digest.update(column[8 * first : 8 * (first + size)])
        hashes.append(digest.hexdigest())
        first += size
    return hashes


def _little_endian(words: bytes) -> memoryview:
    if sys.byteorder == "little":
        return memoryview(words)
    numbers = array("q", words)
    numbers.byteswap()
    return memoryview(numbers).cast("B")
