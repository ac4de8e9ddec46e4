"""The report as an asset: made of what is published, after the models; its page tells where it is."""

from pathlib import Path

import pytest
from orchestration.instances import Instance

from hem_etl.orchestration.report import report_asset
from hem_etl.orchestration.sql_checks import model_key

pytestmark = pytest.mark.slow


def test_the_report_tells_where_it_is(dagster: Instance) -> None:
    dagster.world.run("2026-11-20", "2026-11-21")
    assert dagster.run("fleet_report").success
    (event,) = dagster.events("fleet_report")
    index = Path(str(event.metadata["path"].value))
    assert index == (dagster.world.home / "report" / "index.html").resolve()
    assert index.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (event.metadata["homes"].value, event.metadata["pages"].value) == (18, 18)
    assert (event.metadata["start"].value, event.metadata["end"].value) == ("2026-11-20", "2026-11-21")


def test_where_no_day_is_over_the_report_says_what_to_do(dagster: Instance) -> None:
    assert dagster.run("hem_systems").success
    result = dagster.run("fleet_report")
    assert not result.success
    assert "`hem-etl run --last 14d`" in dagster.failure(result)


def test_the_report_comes_after_every_mart() -> None:
    (spec,) = report_asset().specs
    assert {model_key("marts.daily_energy"), model_key("marts.peer_comparison")} <= {dep.asset_key for dep in spec.deps}
