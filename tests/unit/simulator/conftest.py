"""A fixed clock, a clean home and a client with a token: what the simulator's tests share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from hem_etl.simulator import Fleet, Home, Simulator, make_fleet

TODAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HEADERS = {"Enode-Version": "2024-10-01"}


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def _home(**changes: Any) -> Home:
    facts: dict[str, Any] = {
        "system_id": "home",
        "user_id": "user",
        "vendor": "SOLIS",
        "timezone": "Europe/Berlin",
        "latitude": 52.5,
        "longitude": 13.4,
        "installed_on": date(2020, 1, 1),
        "seed": 7,
    }
    return Home(**facts | changes)


@pytest.fixture(scope="session")
def home() -> Callable[..., Home]:
    """Makes a home without any bad habit, but for the facts that are given."""
    return _home


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    return make_fleet(today=TODAY)


@pytest.fixture
def simulator(fleet: Fleet, clock: Clock) -> Simulator:
    return Simulator(fleet, clock=clock)


def authorised(client: httpx.Client, simulator: Simulator) -> httpx.Client:
    credentials = (simulator.client_id, simulator.client_secret)
    answer = client.post("/oauth2/token", auth=credentials, data={"grant_type": "client_credentials"})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


@pytest.fixture
def connect() -> Iterator[Callable[[Simulator], httpx.Client]]:
    """Opens a client with a token, in process."""
    opened: list[httpx.Client] = []

    def open_client(simulator: Simulator) -> httpx.Client:
        client = httpx.Client(transport=simulator.transport(), base_url="http://enode", headers=HEADERS)
        opened.append(client)
        return authorised(client, simulator)

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def client(simulator: Simulator, connect: Callable[[Simulator], httpx.Client]) -> httpx.Client:
    return connect(simulator)
