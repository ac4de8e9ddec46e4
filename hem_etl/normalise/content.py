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

_SCHEME = b"hem day 1\n"


def day_hashes(readings: pl.DataFrame, sizes: Sequence[int], facts: Iterable[Sequence[object]]) -> list[str]:
    """One SHA-256 a day. readings: start_utc and values, sorted, `sizes` rows a day; facts: what else is held of it."""
    columns = [_bytes("q", readings["start_utc"].dt.timestamp("us").to_list())]
    columns += [
        _bytes("d", readings[name].fill_null(nan).to_list()) for name in readings.columns if name != "start_utc"
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


def _bytes(typecode: str, values: list[float]) -> memoryview:
    """The values as little-endian 64-bit numbers."""
    numbers = array(typecode, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return memoryview(numbers).cast("B")
