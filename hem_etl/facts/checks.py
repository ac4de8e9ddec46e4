"""The checks: what each found at the last publish or finds now, with rows that a person can look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hem_etl.warehouse import CheckResult, Warehouse, packaged_models


@dataclass(frozen=True, slots=True)
class FailingRows:
    """The first rows that a check found."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def check_again(warehouse: Warehouse) -> list[tuple[CheckResult, FailingRows | None]]:
    """Run every check on what is published; with the rows of those that found any."""
    models = packaged_models()
    with warehouse.reading() as published:
        return [
            (result, FailingRows(*published.failing_rows(models, result.name)) if result.failing_rows else None)
            for result in published.run_checks(models)
        ]


def failing_rows(warehouse: Warehouse, results: Iterable[CheckResult]) -> dict[str, FailingRows]:
    """By name, the published rows of those checks that found any."""
    failing = [result.name for result in results if result.failing_rows]
    if not failing:
        return {}
    with warehouse.reading() as published:
        return {name: FailingRows(*published.failing_rows(packaged_models(), name)) for name in failing}
