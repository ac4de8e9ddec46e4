"""What the catalogue tells of a SQL model: a plain sentence in the list, the rest on its page."""

import dagster as dg
import pytest

from hem_etl.orchestration.models import model_assets, model_key, packaged_models
from hem_etl.warehouse.models import Check, Model

MODELS = packaged_models()
EVERY = [*MODELS.tables, *MODELS.views]
SPECS = {spec.key: spec for spec in model_assets(MODELS).specs}


@pytest.mark.parametrize("model", EVERY, ids=lambda model: model.relation)
def test_the_list_shows_sentences_and_the_page_the_sql(model: Model) -> None:
    spec = SPECS[model_key(model.relation)]
    assert spec.description is not None
    assert not set("\n`#*\\<") & set(spec.description)
    assert spec.metadata["grain"] == model.grain
    assert spec.metadata["file"] == model.file
    sql = spec.metadata["sql"]
    assert isinstance(sql, dg.MarkdownMetadataValue)
    assert model.sql in str(sql.md_str)


@pytest.mark.parametrize("check", MODELS.checks, ids=lambda check: check.name)
def test_a_check_tells_what_has_to_hold_and_never_that_it_does(check: Check) -> None:
    """Beside two users who have to link again stood "No user has to link again"."""
    (spec,) = [spec for spec in model_assets(MODELS).check_specs if spec.name == check.name]
    assert spec.description is not None
    assert spec.description.startswith("Has to hold: ")
