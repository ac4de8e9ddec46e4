"""A look at what a relation holds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from hem_etl.warehouse import Model, Warehouse, packaged_models

PREVIEW_ROWS: Final = 5
PREVIEW_COLUMNS: Final = 14


@dataclass(frozen=True, slots=True)
class Preview:
    """How many rows there are, and the first ones."""

    model: Model
    row_count: int
    names: list[str]
    """The first columns."""
    rows: list[tuple[Any, ...]]


def read_previews(warehouse: Warehouse, relations: Collection[str]) -> list[Preview]:
    """One of each of these tables and views, in the order in which they are made."""
    models = packaged_models()
    with warehouse.reading() as published:
        previews = []
        for model in (*models.tables, *models.views):
            if model.relation in relations:
                names = [column.name for column in model.columns[:PREVIEW_COLUMNS]]
                rows = published.rows(model.relation, names, most=PREVIEW_ROWS).rows()
                previews.append(Preview(model, published.count(model.relation), names, rows))
        return previews


def count_rows(warehouse: Warehouse, relations: Iterable[str]) -> dict[str, int]:
    """How many rows each of these has."""
    with warehouse.reading() as published:
        return {relation: published.count(relation) for relation in relations}
