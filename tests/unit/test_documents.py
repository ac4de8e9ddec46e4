"""What README and docs state of settings, limits and exit codes is what the code does."""

import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hem_etl import errors, local_day, settings, vocabulary
from hem_etl.normalise import rules
from hem_etl.orchestration import sensors
from hem_etl.pipeline import RunReport, ahead, extraction, ledger
from hem_etl.settings import EVERY_VENDOR, Settings
from hem_etl.warehouse import files

ROOT = Path(__file__).parents[2]
PAGES = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
FIELDS = {str(field.alias): field for field in Settings.model_fields.values()}
ROW = re.compile(r"^\| (`(?:HEM_ETL|ENODE)_[^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
TEXTS = {
    "ENODE_API_URL": "from the environment",
    "ENODE_OAUTH_URL": "from the environment",
    "HEM_ETL_HOME": "`./hem_data`",
    "HEM_ETL_LANDING": "`$HEM_ETL_HOME/landing`",
    "HEM_ETL_DATABASE": "`$HEM_ETL_HOME/hem.duckdb`",
    "HEM_ETL_CLOCK_CHECK": "`on`",
    "HEM_ETL_WORKERS": f"the cores (at most {settings.USEFUL_WORKERS})",
}
"""Defaults that are told in words."""


def rows_of_settings() -> list[tuple[str, str]]:
    """Each setting of README's table with its default."""
    found = []
    for names, _, defaults in ROW.findall(PAGES["README.md"]):
        aliases = re.findall(r"`([A-Z0-9_]+)`", names)
        values = defaults.split(", ")
        found += list(zip(aliases, values if len(values) == len(aliases) else values * len(aliases), strict=True))
    return found


def test_the_table_of_settings_names_each_one_once() -> None:
    named = [alias for alias, _ in rows_of_settings()]
    assert sorted(named) == sorted(FIELDS)


@pytest.mark.parametrize(("alias", "said"), rows_of_settings())
def test_a_stated_default_is_the_default(alias: str, said: str) -> None:
    default: Any = FIELDS[alias].default
    if isinstance(default, dict):
        default = default[EVERY_VENDOR]
    if alias in TEXTS:
        assert said == TEXTS[alias]
    elif default in (None, ""):
        assert said == "none"
    elif isinstance(default, int | float):
        assert float(said) == default
    else:
        assert said.strip("`") == str(default)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_setting_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"\b(?:HEM_ETL|ENODE)_[A-Z][A-Z0-9_]*[A-Z]\b", PAGES[page]))
    assert named <= FIELDS.keys()


LIMITS = [
    ("failure-policy.md", r"more than (\d+) minutes apart", local_day.CLOCK_TOLERANCE / timedelta(minutes=1)),
    ("failure-policy.md", r"waits up to (an) hour", files.WRITERS_PATIENCE.wait_seconds / 3600),
    ("failure-policy.md", r"last answer is (an) hour old", ledger.OPEN_AGAIN_AFTER / timedelta(hours=1)),
    ("dagster.md", r"waits up to (an) hour", files.WRITERS_PATIENCE.wait_seconds / 3600),
    ("dagster.md", r"run of at most ([\d,]+) intervals", sensors.MOST_REQUESTS),
    ("dagster.md", r"up to about ([\d,]+) partitions", settings.MOST_PARTITIONS),
    ("README.md", r"where there are (\d+) or more to load", ahead.LEAST_BODIES),
    ("README.md", r"more than (\d+) minutes apart", local_day.CLOCK_TOLERANCE / timedelta(minutes=1)),
    ("architecture.md", r"After (three) intervals in a", extraction.UNREACHABLE_IN_A_ROW),
    ("validation.md", r"`warn` up to ([\d.]+), then `fail`", rules.BALANCE_FAILS_ABOVE),
    ("validation.md", r"Nothing below ([\d.]+) kWh", vocabulary.LEAST_DENOMINATOR_KWH),
    ("validation.md", r"a flow below −([\d.]+) kW", -vocabulary.NEGATIVE_BELOW_KW),
]
"""Page, how it says the limit, and what the code goes by."""
NUMBERS = {"an": 1.0, "three": 3.0}


@pytest.mark.parametrize(("page", "words", "limit"), LIMITS)
def test_a_stated_limit_is_the_one_that_holds(page: str, words: str, limit: float) -> None:
    stated = re.findall(words, PAGES[page])
    assert stated, f"{page} does not say it any more: {words}"
    assert {NUMBERS.get(text) or float(text.replace(",", "")) for text in stated} == {limit}


def test_every_rule_that_is_explained_is_one_that_can_be_found() -> None:
    explained = {
        rule
        for cell in re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", PAGES["validation.md"], re.MULTILINE)
        for rule in re.findall(r"[a-z_]+", cell)
    }
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "hem_etl" / "normalise").glob("*.py"))
    assert len(explained) > 20
    assert {rule for rule in explained if f'"{rule}"' not in source} == set()


def exit_codes() -> set[int]:
    """All that a command ends with; 130 is an interrupt's."""
    kinds = (kind for _, kind in inspect.getmembers(errors, inspect.isclass))
    ends = {kind.exit_code for kind in kinds if issubclass(kind, errors.HemEtlError)}
    return {RunReport().exit_code, RunReport(failed=[{}]).exit_code, 130} | ends


@pytest.mark.parametrize(
    ("page", "also"), [("README.md", set()), ("scheduling.md", {130})], ids=["README", "scheduling"]
)
def test_the_stated_exit_codes_are_all_there_are(page: str, also: set[int]) -> None:
    (sentence,) = re.findall(r"[Ee]xit code[^.]*?`0`.*?\.\n", PAGES[page], re.DOTALL)[:1]
    assert {int(code) for code in re.findall(r"`(\d+)`", sentence)} | also == exit_codes()
