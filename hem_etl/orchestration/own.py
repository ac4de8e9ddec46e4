"""Models of a user's own (HEM_ETL_MODELS) as assets, after ours. A folder that is broken takes none of ours away."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dagster as dg

from hem_etl.errors import HemEtlError
from hem_etl.facts import count_rows
from hem_etl.orchestration.models import described, escaped
from hem_etl.orchestration.resources import Roads
from hem_etl.orchestration.sql_checks import model_key
from hem_etl.warehouse import Model, OwnModels, load_own, packaged_models

LOG = logging.getLogger(__name__)

GROUP: Final = "own"


def own_assets(folder: Path | None) -> list[dg.AssetsDefinition]:
    """One asset for each model of the folder, made by one publish; none without a folder, or where it is broken."""
    if folder is None:
        return []
    try:
        own = load_own(folder, packaged_models())
    except (HemEtlError, OSError) as error:
        LOG.warning("own models are no assets until they are mended: %s", error)
        return []
    return [_models(own)] if own.models else []


def _models(own: OwnModels) -> dg.AssetsDefinition:
    @dg.multi_asset(name="own_models", specs=[_spec(model, own) for model in own.models])
    def make_own_models(
        context: dg.AssetExecutionContext, roads: dg.ResourceParam[Roads]
    ) -> Iterator[dg.MaterializeResult[None]]:
        with roads.open(context.log) as road:
            road.publish()
        if road.own_problem is not None:
            raise dg.Failure(f"own models are left out: {road.own_problem}", allow_retries=False)
        for relation, rows in count_rows(road.warehouse, [model.relation for model in own.models]).items():
            yield dg.MaterializeResult(asset_key=model_key(relation), metadata={"dagster/row_count": rows})

    return make_own_models


def _spec(model: Model, own: OwnModels) -> dg.AssetSpec:
    return dg.AssetSpec(
        model_key(model.relation),
        deps=[model_key(name) for name in model.references if name not in own.seed_relations],
        group_name=GROUP,
        kinds={"duckdb", "sql", "table" if model.is_table else "view"},
        description=escaped(model.meaning),
        metadata=described(model),
    )
