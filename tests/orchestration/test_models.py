"""What the catalogue tells of a SQL model: a plain sentence in the list, the rest on its page."""

import dagster as dg
import pytest

from hem_etl.orchestration.models import model_assets, model_key, packaged_models
from hem_etl.sql_models import Model

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
