"""Own models as assets: after what they read, red with the reason where they are broken, never a reason for ours."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from orchestration.instances import Instance
from world import World

from hem_etl.orchestration.own import own_assets
from hem_etl.simulator import make_fleet

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "tariff"


@contextmanager
def with_own(folder: Path, home: Path) -> Iterator[Instance]:
    world = World(home, make_fleet(2, today=World(home).now.date()))
    world.settings = world.settings.model_copy(update={"own_models": folder})
    with dg.DagsterInstance.ephemeral() as instance:
        yield Instance(world, instance)


def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "mine" / "own"
    folder.mkdir(parents=True)
    (folder / "cost.sql").write_text("select 1")
    return folder.parent


def test_each_own_model_is_an_asset_after_what_it_reads(tmp_path: Path) -> None:
    with with_own(EXAMPLE, tmp_path / "home") as dagster:
        dagster.world.run("2026-11-20", "2026-11-21")
        assert dagster.run("own/cost_daily", "own/cost_monthly", "own/home_price", "own/price_window").success
        (event,) = dagster.events("own/cost_monthly")
    assert event.metadata["dagster/row_count"].value == 2
    (assets,) = own_assets(EXAMPLE)
    deps = {spec.key.to_user_string(): {dep.asset_key.to_user_string() for dep in spec.deps} for spec in assets.specs}
    assert deps["own/cost_monthly"] == {"own/cost_daily"}
    assert {"marts/daily_energy", "marts/interval_15min", "own/home_price"} <= deps["own/cost_daily"]
    assert deps["own/price_window"] == set()


def test_own_checks_are_asset_checks_with_the_rows_that_fail(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(EXAMPLE, folder)
    (folder / "checks" / "dear.sql").write_text(
        "-- name: checks.dear\n-- meaning: Nothing costs anything.\n-- severity: plausibility\n"
        "-- failing row: a month that costs\n\nselect system_id, month from own.cost_monthly"
    )
    with with_own(folder, tmp_path / "home") as dagster:
        dagster.world.run("2026-11-20", "2026-11-21")
        result = dagster.run("own/cost_daily", "own/cost_monthly", "own/home_price", "own/price_window")
    found = {
        (check.asset_key.to_user_string(), check.check_name): check for check in result.get_asset_check_evaluations()
    }
    assert result.success
    dear = found["own/cost_monthly", "dear"]
    assert not dear.passed
    assert dear.severity is dg.AssetCheckSeverity.WARN
    assert dear.metadata["failing_rows"].value == 2
    assert found["own/cost_daily", "own_cost_daily_key"].passed
    assert len(found) == 3 + 4


def test_what_breaks_later_is_red_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "own").mkdir(parents=True)
    model = folder / "own" / "homes.sql"
    text = (
        "-- name: own.homes\n-- meaning: Homes.\n-- grain: system\n-- key: system_id\n-- null: never.\n-- columns:\n"
        "--   system_id | varchar | - | id\n\nselect system_id from core.system"
    )
    model.write_text(text)
    with with_own(folder, tmp_path / "home") as dagster:
        dagster.world.run("2026-11-21")
        assert dagster.run("own/homes").success
        model.write_text(text.replace("select system_id", "select no_such"))
        result = dagster.run("own/homes")
        assert not result.success
        assert "own/homes.sql: DuckDB refuses it" in dagster.failure(result)
        assert dagster.run("marts/daily_energy").success


def test_a_broken_folder_takes_no_asset_of_ours_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = broken(tmp_path)
    with with_own(folder, tmp_path / "home") as dagster:
        graph = dagster.definitions.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {"day_statistics", "marts/daily_energy", "fleet_report"} <= keys
    assert not [key for key in keys if key.startswith("own/")]
    assert "own/cost.sql" in caplog.text
