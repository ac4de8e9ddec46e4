"""Models of a user's own (HEM_ETL_MODELS) as assets with their checks, after ours; broken, they take none of ours."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dagster as dg

from hem_etl.errors import HemEtlError
from hem_etl.facts import check_own, count_rows
from hem_etl.orchestration.models import check_spec, described, escaped
from hem_etl.orchestration.resources import Roads
from hem_etl.orchestration.sql_checks import evaluate, model_key
from hem_etl.vocabulary import Severity
from hem_etl.warehouse import Check, Model, OwnModels, load_own, packaged_models

LOG = logging.getLogger(__name__)

GROUP: Final = "own"
STANDING: Final = {
    Severity.ERROR: "Structural: where it finds a row, none of the own models is made.",
    Severity.WARNING: "Plausibility: worth a look; the own models are made all the same.",
}


def own_assets(folder: Path | None) -> list[dg.AssetsDefinition]:
    """One asset for each model of the folder, made by one publish; none without a folder, or where it is broken."""
    if folder is None:
        return []
    try:
        own = load_own(folder, packaged_models())
    except (HemEtlError, OSError) as error:
        LOG.warning("own models are no assets until they are mended: %s", error)
        return []
    return [_models(own, folder)] if own.models else []


def _models(own: OwnModels, folder: Path) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="own_models",
        specs=[_spec(model, own) for model in own.models],
        check_specs=[check_spec(check, _checked_at(check, own), STANDING) for check in own.checks],
    )
    def make_own_models(
        context: dg.AssetExecutionContext, roads: dg.ResourceParam[Roads]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with roads.open(context.log) as road:
            road.publish()
        if road.own_problem is not None:
            raise dg.Failure(f"own models are left out: {road.own_problem}", allow_retries=False)
        for relation, rows in count_rows(road.warehouse, [model.relation for model in own.models]).items():
            yield dg.MaterializeResult(asset_key=model_key(relation), metadata={"dagster/row_count": rows})
        found = check_own(road.warehouse, folder)
        if found.problem is not None:
            raise dg.Failure(f"own checks could not run: {found.problem}", allow_retries=False)
        known = {check.name for check in own.checks}
        for each in found.checked:
            if each.check.name in known:  # else written since the code location was loaded
                yield evaluate(each.result, _checked_at(each.check, own), each.found)

    return make_own_models


def _checked_at(check: Check, own: OwnModels) -> dg.AssetKey:
    """The last own model that it reads; of seeds or ours alone, the last one of all."""
    read = [model for model in own.models if model.relation in check.references]
    return model_key((read or own.models)[-1].relation)


def _spec(model: Model, own: OwnModels) -> dg.AssetSpec:
    return dg.AssetSpec(
        model_key(model.relation),
        deps=[model_key(name) for name in model.references if name not in own.seed_relations],
        group_name=GROUP,
        kinds={"duckdb", "sql", "table" if model.is_table else "view"},
        description=escaped(model.meaning),
        metadata=described(model),
    )
