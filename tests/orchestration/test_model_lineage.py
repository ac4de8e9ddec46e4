"""Models as assets: macros are none, and column lineage names real columns of real assets."""

from hem_etl.orchestration.models import column_lineage, every_check_key, every_model_key, model_key
from hem_etl.warehouse import models as sql_models

MODELS = sql_models.load_models()


def test_a_macro_is_no_asset_and_its_key_is_proved_at_what_it_reads() -> None:
    assets = set(every_model_key())
    macro = MODELS.model("marts.daily_energy_as_of")

    assert macro.parameters
    assert model_key(macro.relation) not in assets
    assert len(assets) == len(MODELS.tables) + len(MODELS.views)
    keys = {key.name: key.asset_key for key in every_check_key()}
    assert macro.key_checked_by is not None
    assert keys[macro.key_checked_by] == model_key("core.day_version")
    assert set(keys.values()) <= assets


def test_column_lineage_leads_one_asset_back() -> None:
    lineage = column_lineage(MODELS, "marts.restatement")

    assert lineage is not None
    assert column_lineage(MODELS, "core.day_version") is None
    (source,) = lineage.deps_by_column["generation_kwh"]
    assert (source.asset_key, source.column_name) == (model_key("core.day_version"), "generation_kwh")
