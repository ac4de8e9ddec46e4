"""`make dev` on a home of another version."""

import duckdb
import pytest
from world import World

from hem_etl.orchestration.dev import renew_tables

pytestmark = pytest.mark.slow


def test_a_home_that_another_version_made_is_rebuilt_from_what_is_landed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.run("2026-11-20", months=False)
    monkeypatch.setenv("HEM_ETL_HOME", str(world.home))
    renew_tables()
    assert capsys.readouterr().out == ""
    days = world.sql("select * from marts.daily_energy order by system_id").rows()
    with duckdb.connect(str(world.writers_file)) as connection:
        connection.execute("alter table core.series add column from_another_version integer")
    renew_tables()
    assert "core.series was made by another version" in capsys.readouterr().out
    assert world.sql("select * from marts.daily_energy order by system_id").rows() == days
    renew_tables()
    assert capsys.readouterr().out == ""


def test_a_home_that_was_loaded_with_other_limits_is_rebuilt(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.run("2026-11-20", months=False)
    monkeypatch.setenv("HEM_ETL_HOME", str(world.home))
    monkeypatch.setenv("HEM_ETL_OVER_LIMIT_KW", "99")
    renew_tables()
    assert "HEM_ETL_OVER_LIMIT_KW is 99" in capsys.readouterr().out
    renew_tables()
    assert capsys.readouterr().out == ""


def test_a_new_home_has_nothing_to_rebuild(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEM_ETL_HOME", str(world.home))
    renew_tables()
    assert not world.settings.database.exists()
