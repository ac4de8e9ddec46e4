"""The checks: what each found at the last publish or finds now, with rows that a person can look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hem_etl.warehouse import CheckResult, Reader, Warehouse, packaged_models


@dataclass(frozen=True, slots=True)
class FailingRows:
    """The first rows that a check found."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def checks_of_the_publish(warehouse: Warehouse) -> list[tuple[CheckResult, FailingRows | None]]:
    """What every check found at the last publish; with the rows of those that found any."""
    names = {check.name for check in packaged_models().checks}
    with warehouse.reading() as published:
        return _with_rows(published, [result for result in published.newest_results() if result.name in names])


def check_again(warehouse: Warehouse) -> list[tuple[CheckResult, FailingRows | None]]:
    """Run every check on all that is published; with the rows of those that found any."""
    with warehouse.reading() as published:
        return _with_rows(published, published.run_checks(packaged_models()))


def _with_rows(published: Reader, results: Iterable[CheckResult]) -> list[tuple[CheckResult, FailingRows | None]]:
    models = packaged_models()
    return [
        (result, FailingRows(*published.failing_rows(models, result.name)) if result.failing_rows else None)
        for result in results
    ]


def failing_rows(warehouse: Warehouse, results: Iterable[CheckResult]) -> dict[str, FailingRows]:
    """By name, the published rows of those checks that found any."""
    failing = [result.name for result in results if result.failing_rows]
    if not failing:
        return {}
    with warehouse.reading() as published:
        return {name: FailingRows(*published.failing_rows(packaged_models(), name)) for name in failing}
