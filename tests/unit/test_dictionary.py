"""The pages made from the models are current and their links lead somewhere; lineage names columns that exist."""

import re
from pathlib import Path

import pytest

from hem_etl.warehouse import models as sql_models
from hem_etl.warehouse.models.dictionary import pages
from hem_etl.warehouse.models.lineage import column_sources, table_sources

DOCS = Path(__file__).parents[2] / "docs"
MODELS = sql_models.load_models()


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages(MODELS)


@pytest.mark.parametrize("name", ["data_dictionary.md", "lineage.md"])
def test_the_page_says_what_the_models_say(name: str, made: dict[str, str]) -> None:
    there = (DOCS / name).read_text(encoding="utf-8")

    # a bare comparison: the difference of two such pages takes pytest a minute to tell
    is_current = there == made[name]
    assert is_current, f"docs/{name} is older than the SQL models: run `make docs`"


def test_every_relation_column_and_check_has_its_line(made: dict[str, str]) -> None:
    page = made["data_dictionary.md"]

    for model in (*MODELS.tables, *MODELS.built):
        assert f"\n### {model.relation}" in page
        assert all(f"\n| `{column.name}` | {column.type} |" in page for column in (*model.parameters, *model.columns))
    assert all(f"\n| `{check.name}` |" in page for check in MODELS.checks if "/checks/" in check.file)


def test_the_contents_lead_to_the_titles(made: dict[str, str]) -> None:
    page = made["data_dictionary.md"]
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9_-]", "", title.lower().replace(" ", "-")) for title in titles}

    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors


@pytest.mark.parametrize("model", MODELS.built, ids=lambda model: model.relation)
def test_every_source_is_a_column_of_what_the_model_reads(model: sql_models.Model) -> None:
    sources = column_sources(MODELS, model.relation)

    assert list(sources) == [column.name for column in model.columns]
    for relation, name in {source for found in sources.values() for source in found}:
        assert relation in model.references
        assert name in {column.name for column in MODELS.model(relation).columns}


def test_lineage_goes_through_views_down_to_the_tables() -> None:
    sources = table_sources(MODELS, "marts.fleet_daily")["generation_kwh"]

    assert sources == (("core.day_energy", "generation_kwh"),)
    assert table_sources(MODELS, "marts.daily_energy_as_of")["generation_kwh"] == (
        ("core.day_version", "generation_kwh"),
    )
    assert table_sources(MODELS, "core.load") == {}
