"""The checks: what each found at the last publish or finds now, with rows that a person can look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hem_etl.errors import ModelError
from hem_etl.warehouse import Check, CheckResult, Reader, Warehouse, load_own, packaged_models


@dataclass(frozen=True, slots=True)
class FailingRows:
    """The first rows that a check found."""

    names: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Checked:
    """A check, and what it found."""

    check: Check
    result: CheckResult
    found: FailingRows | None
    """None: no row."""


@dataclass(frozen=True, slots=True)
class OwnChecked:
    """A user's own checks on what is published."""

    checked: list[Checked]
    problem: str | None
    """Why there are none to run, in one line."""


def checks_of_the_publish(warehouse: Warehouse) -> list[Checked]:
    """What every check found at the last publish; with the rows of those that found any."""
    with warehouse.reading() as published:
        return _with_rows(published, packaged_models().checks, published.newest_results())


def check_again(warehouse: Warehouse) -> list[Checked]:
    """Run every check on all that is published; with the rows of those that found any."""
    models = packaged_models()
    with warehouse.reading() as published:
        return _with_rows(published, models.checks, published.run_checks(models))


def check_own(warehouse: Warehouse, folder: Path) -> OwnChecked:
    """Run the checks of HEM_ETL_MODELS on its models as they are published.

    What is wrong with them is told and not raised.
    """
    models = packaged_models()
    try:
        own = load_own(folder, models)
        with warehouse.reading() as published:
            if not published.is_own_made(folder):
                return OwnChecked(
                    [],
                    "the published file does not hold the models as they are in the folder now: they were left out, or "
                    "have changed since; the next `hem-etl run` makes them or says why not",
                )
            return OwnChecked(_with_rows(published, own.checks, published.run_checks(models, own.checks)), None)
    except (ModelError, OSError) as error:
        return OwnChecked([], " ".join(str(error).split()))


def _with_rows(published: Reader, checks: Iterable[Check], results: Iterable[CheckResult]) -> list[Checked]:
    """Results of these checks; those of others are left out."""
    of_name = {check.name: check for check in checks}
    return [
        Checked(
            of_name[result.name],
            result,
            FailingRows(*published.failing_rows(of_name[result.name])) if result.failing_rows else None,
        )
        for result in results
        if result.name in of_name
    ]


def failing_rows(warehouse: Warehouse, results: Iterable[CheckResult]) -> dict[str, FailingRows]:
    """By name, the published rows of those checks that found any."""
    failing = [result.name for result in results if result.failing_rows]
    if not failing:
        return {}
    models = packaged_models()
    with warehouse.reading() as published:
        return {name: FailingRows(*published.failing_rows(models.check(name))) for name in failing}
