"""Chance that can be repeated: everything random in the simulator is a pure function of names and numbers.

Nothing here keeps state, so any home, any day and any fault can be computed alone, in any order and in any thread.
"""

from hashlib import blake2b
from random import Random


def stable_hash(*parts: object) -> int:
    """64 bits that depend on `parts` only: the same on every machine, in every process."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def stable_hex(*parts: object) -> str:
    """32 hexadecimal digits that depend on `parts` only: raw material of ids, tokens and seals."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def stable_ratio(*parts: object) -> float:
    """A number in [0, 1) that depends on `parts` only."""
    return stable_hash(*parts) / 2**64


def stable_random(*parts: object) -> Random:
    """A stream of numbers that depends on `parts` only; for noise, never for secrets."""
    return Random(stable_hash(*parts))  # noqa: S311 - repeatable noise is the purpose
