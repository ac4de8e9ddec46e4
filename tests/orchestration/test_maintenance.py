"""The schedule of maintenance: off as shipped; its job does what the command does and says so."""

from pathlib import Path

import dagster as dg
import pytest
from engines import publish_days

from hem_etl.orchestration.definitions import make_definitions
from hem_etl.orchestration.maintenance import maintenance_schedule
from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.resources import RoadsBySettings
from hem_etl.settings import GivenSettings, Settings
from hem_etl.warehouse import NOTHING_TO_MAINTAIN, open_warehouse

pytestmark = pytest.mark.slow


class GivenRoads(RoadsBySettings):
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def settings(self) -> Settings:
        return self._settings


@pytest.mark.parametrize(("engine", "said"), [("file", NOTHING_TO_MAINTAIN), ("lake", "snapshots expired")])
def test_the_job_maintains_what_keeps_the_tables(
    engine: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lake = {"HEM_ETL_LAKE_CATALOG": str(tmp_path / "lake.sqlite"), "HEM_ETL_LAKE_DATA": str(tmp_path / "data")}
    settings = GivenSettings(HEM_ETL_HOME=tmp_path, HEM_ETL_WAREHOUSE=engine, **lake)
    publish_days(open_warehouse(settings))
    definitions = make_definitions(Scheme("2026-10-01", 0), GivenRoads(settings))
    with dg.DagsterInstance.ephemeral() as instance:
        assert definitions.resolve_job_def("maintenance_job").execute_in_process(instance=instance).success
    assert said in capfd.readouterr().err


def test_what_removes_anything_is_off_until_a_person_turns_it_on() -> None:
    assert maintenance_schedule().default_status is dg.DefaultScheduleStatus.STOPPED
