"""Which API a home is filled from."""

from pathlib import Path

import pytest

from hem_etl.errors import SettingsError
from hem_etl.pipeline import Road, make_client
from hem_etl.pipeline.clients import require_one_api
from hem_etl.settings import GivenSettings


def settings_of(home: Path, **given: str) -> GivenSettings:
    return GivenSettings(
        HEM_ETL_HOME=home, ENODE_CLIENT_ID="simulator", ENODE_CLIENT_SECRET="simulator-secret", **given
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"ENODE_ENVIRONMENT": "production"}),
        ({"ENODE_API_URL": "http://127.0.0.1:8000"}, {}),
        ({"ENODE_API_URL": "https://one.example"}, {"ENODE_API_URL": "https://other.example"}),
    ],
    ids=["sandbox and production", "simulator and sandbox", "two of an operator's own"],
)
def test_homes_of_two_apis_do_not_stand_in_one_sum(
    first: dict[str, str], second: dict[str, str], tmp_path: Path
) -> None:
    require_one_api(settings_of(tmp_path, **first))
    require_one_api(settings_of(tmp_path, **first))
    settings = settings_of(tmp_path, **second)
    with make_client(settings) as client:
        road = Road(settings, client=client)
        for ask in (road.sync_systems, road.run_due, lambda: road.read_state("a-system")):
            with pytest.raises(SettingsError, match=r"HEM_ETL_HOME name a folder for each.*delete .*api\.txt"):
                ask()
        assert client.requests_made == 0
    require_one_api(settings_of(tmp_path / "another", **second))
    assert [path.name for path in (tmp_path / "work").glob("*api*")] == ["api.txt"]


def test_a_simulator_on_this_machine_is_the_same_at_any_port(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost:9999/", "http://[::1]:1"):
        require_one_api(settings_of(tmp_path, ENODE_API_URL=url))
