"""The two tiers: what `make test` runs, and what is marked `slow` and runs in `make test-all` too.

Slow is what starts processes, daemons or browsers, what runs Dagster, and the long part of a sweep whose first cases
tell as a rule.
"""

from collections.abc import Iterable
from typing import Any

import pytest


def swept(cases: Iterable[tuple[Any, ...]], first: int = 2) -> list[Any]:
    """Parameters, a tuple of arguments each, of which the first ones are fast."""
    return [
        pytest.param(*case, marks=[] if number < first else [pytest.mark.slow]) for number, case in enumerate(cases)
    ]
