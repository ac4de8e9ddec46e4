"""Which systems, vendors and days a person means: ids may be cut short, vendors be spelt in either case."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from hem_etl.errors import UsageError

SHOWN_IN_ERRORS: Final = 3


def match_systems(wanted: Iterable[str], system_ids: Iterable[str]) -> frozenset[str]:
    """The systems that these ids, or unique beginnings of ids, stand for. UsageError where one stands for none."""
    ids = set(system_ids)
    found, problems = set(), []
    for text in sorted(set(wanted)):
        alike = [text] if text in ids else sorted(name for name in ids if text and name.startswith(text))
        if len(alike) == 1:
            found.add(alike[0])
        elif alike:
            examples = ", ".join(map(repr, alike[:SHOWN_IN_ERRORS]))
            problems.append(f"{text!r} begins {len(alike)} ids ({examples}): give more of it")
        else:
            problems.append(f"no system {text!r} is known: `hem-etl systems` lists them")
    if problems:
        raise UsageError(problems[0] + (f" (and {len(problems) - 1} more)" if problems[1:] else ""))
    return frozenset(found)


def match_vendors(wanted: Iterable[str], of_systems: Iterable[str | None]) -> frozenset[str]:
    """The vendors that these names stand for, upper or lower case. UsageError where one stands for none."""
    vendors = {name for name in of_systems if name is not None}
    found = set()
    for text in sorted(set(wanted)):
        alike = {name for name in vendors if name.casefold() == text.casefold()}
        if not alike:
            raise UsageError(f"no system of vendor {text!r} is known; known are {', '.join(sorted(vendors)) or 'none'}")
        found |= alike
    return frozenset(found)


def known_days(first: date | None, last: date | None, start: date | None, end: date | None) -> tuple[date, date]:
    """Those of the days from `first` to `last`, which are known, that lie within start..end (None: all of them).

    UsageError where there is none.
    """
    if first is None or last is None:
        raise UsageError("no day was asked yet: `hem-etl run --last 14d` asks for them")
    begin, until = max(start or first, first), min(end or last, last)
    if begin > until:
        raise UsageError(
            f"no day between {start or first} and {end or last} is known: {first}..{last} are; "
            "`hem-etl run` with --start and --end asks for others"
        )
    return begin, until
