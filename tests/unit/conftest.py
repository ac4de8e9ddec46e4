"""What several unit tests look at."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODULES = ("measuring", "worlds", "pieces", "page", "rows", "tasks", "bench", "daily", "scale")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, ModuleType]]:
    """The benchmarks' modules, by name; none of them stays imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield {name: __import__(name) for name in MODULES}
    for name in MODULES:
        del sys.modules[name]
