"""The simulator's webhooks are as strict as Enode's, and as unreliable as they may be."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hem_etl.simulator import Faults, Simulator, make_fleet
from hem_etl.simulator.webhooks import Mischief
from hem_etl.webhooks.signature import is_signed

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
GOOD = {"url": "https://hem.example/enode", "secret": "a-long-secret-of-the-tests", "events": ["*"]}


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Simulator:
    return Simulator(make_fleet(2, today=NOW.date()), clock=clock, token_seconds=1_000_000)


@pytest.fixture
def api(simulator: Simulator) -> Callable[..., httpx.Response]:
    client = httpx.Client(transport=simulator.transport(), base_url="https://enode.example")
    form = {"grant_type": "client_credentials"}
    token = client.post("/oauth2/token", data=form, auth=("simulator", "simulator-secret")).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Enode-Version": "2024-10-01"}
    return lambda method, path, **more: client.request(method, path, headers=headers, **more)


class Inbox:
    """Takes what is posted; `status` is what it answers."""

    def __init__(self) -> None:
        self.status: int | None = 204
        self.posts: list[tuple[str, Mapping[str, str], bytes]] = []

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        self.posts.append((url, headers, body))
        return self.status

    @property
    def events(self) -> list[list[str]]:
        return [[event["event"] for event in json.loads(body)] for _, _, body in self.posts]


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://hem.example"},
        {"url": "hem.example"},
        {"url": None},
        {"secret": "short"},
        {"secret": "x" * 257},
        {"secret": 7},
        {"events": []},
        {"events": "user:hem-system:updated"},
        {"events": ["user:hem-system:exploded"]},
        {"apiVersion": "2020-01-01"},
        {"name": "mine"},
    ],
)
def test_a_wrong_subscription_is_400(api: Callable[..., httpx.Response], wrong: dict[str, Any]) -> None:
    assert api("POST", "/webhooks", json=GOOD | wrong).status_code == 400
    assert api("GET", "/webhooks").json() == {"data": []}


def test_one_subscription_per_url_and_its_secret_is_never_told(api: Callable[..., httpx.Response]) -> None:
    made = api("POST", "/webhooks", json=GOOD)
    assert made.status_code == 200
    assert api("POST", "/webhooks", json=GOOD).status_code == 400
    listed = api("GET", "/webhooks")
    assert [each["id"] for each in listed.json()["data"]] == [made.json()["id"]]
    assert GOOD["secret"] not in made.text + listed.text
    assert api("PATCH", f"/webhooks/{made.json()['id']}", json={"secret": "another-long-secret"}).status_code == 200
    assert api("DELETE", f"/webhooks/{made.json()['id']}").status_code == 204
    assert api("DELETE", f"/webhooks/{made.json()['id']}").status_code == 404
    assert api("GET", "/webhooks/none").status_code == 405


def test_events_come_signed_in_batches_of_a_hundred(simulator: Simulator, api: Callable[..., httpx.Response]) -> None:
    simulator.webhooks.post = inbox = Inbox()
    api("POST", "/webhooks", json=GOOD)
    for _ in range(150):
        simulator.webhooks.announce("user:hem-system:updated", simulator.fleet.homes[0])
    assert simulator.webhooks.deliver() == 2
    assert [len(names) for names in inbox.events] == [100, 51]
    _, headers, body = inbox.posts[0]
    assert is_signed(body, headers["x-enode-signature"], [SecretStr(str(GOOD["secret"]))])
    assert json.loads(body)[0]["hemSystem"] == {"id": simulator.fleet.homes[0].system_id}


def test_what_stays_undelivered_for_a_day_is_deleted_and_a_test_starts_again(
    simulator: Simulator, api: Callable[..., httpx.Response], clock: Clock
) -> None:
    simulator.webhooks.post = inbox = Inbox()
    inbox.status = None
    made = api("POST", "/webhooks", json=GOOD).json()["id"]
    simulator.webhooks.announce("user:hem-system:updated", simulator.fleet.homes[0])
    tries = []
    while clock.now < NOW + timedelta(hours=30):
        before = len(inbox.posts)
        simulator.webhooks.deliver()
        tries += [clock.now] * (len(inbox.posts) - before)
        clock.now += timedelta(minutes=1)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert len(tries) < 20
    assert api("GET", "/webhooks").json()["data"][0]["isActive"] is False

    inbox.status = 204
    assert api("POST", f"/webhooks/{made}/test").json()["status"] == "SUCCESS"
    assert api("GET", "/webhooks").json()["data"][0]["isActive"] is True
    simulator.webhooks.deliver()
    assert "user:hem-system:updated" not in inbox.events[-1]


def test_mischief_is_sent_on_demand(simulator: Simulator, api: Callable[..., httpx.Response]) -> None:
    simulator.webhooks.post = inbox = Inbox()
    secret = [SecretStr(str(GOOD["secret"]))]
    api("POST", "/webhooks", json=GOOD)
    simulator.webhooks.mischief = Mischief(repeats=1, forgeries=1, malformed=1, unknown=1, splits=1)
    simulator.webhooks.announce("user:hem-system:updated", simulator.fleet.homes[0])
    simulator.webhooks.deliver()
    signed = [body for _, headers, body in inbox.posts if is_signed(body, headers["x-enode-signature"], secret)]
    assert len(signed) == len(inbox.posts) - 1
    assert len(signed) == 1 + 2 * len(set(signed[1:]))
    assert any(b"toaster" in body for body in signed)


def test_a_delivery_is_replayed_on_demand(simulator: Simulator, api: Callable[..., httpx.Response]) -> None:
    simulator.webhooks.post = inbox = Inbox()
    api("POST", "/webhooks", json=GOOD)
    simulator.webhooks.mischief = Mischief(replays=1)
    for _ in range(3):
        simulator.webhooks.announce("user:hem-system:updated", simulator.fleet.homes[0])
        simulator.webhooks.deliver()
    first, *others = [body for _, _, body in inbox.posts]
    assert others.count(first) == 2
    assert len(others) == 4


def test_a_delivery_is_delayed_on_demand_and_comes_with_what_has_gathered(
    simulator: Simulator, api: Callable[..., httpx.Response], clock: Clock
) -> None:
    simulator.webhooks.post = inbox = Inbox()
    api("POST", "/webhooks", json=GOOD)
    simulator.webhooks.mischief = Mischief(delays=1)
    came = []
    for _ in range(4):
        simulator.webhooks.announce("user:hem-system:updated", simulator.fleet.homes[0])
        simulator.webhooks.deliver()
        came.append(sum(names.count("user:hem-system:updated") for names in inbox.events))
        clock.now += timedelta(minutes=30)
    assert came == [0, 0, 3, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": None},
        {"scopes": []},
        {"scopes": ["vehicle:read:data"]},
        {"redirectUri": None},
        {"redirectUri": "nowhere"},
        {"language": "klingon"},
        {"language": None},
        {"colour": "red"},
        {"colorScheme": "red"},
        {"vendor": "ACME"},
    ],
)
def test_a_wrong_link_session_is_400(api: Callable[..., httpx.Response], wrong: dict[str, Any]) -> None:
    good = {"scopes": ["inverter:read:data"], "redirectUri": "https://app.example/back", "language": "de-DE"}
    assert api("POST", "/users/user-1/link", json=good | wrong).status_code == 400
    assert api("POST", "/users/user-1/link", json=good).json()["linkUrl"].startswith("https://")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({}, 200),
        ({"colorScheme": "dark"}, 200),
        ({"scopes": ["inverter:read:data"]}, 400),
        ({"vendor": "SMA"}, 400),
        ({"redirectUri": None}, 400),
        ({"language": None}, 400),
    ],
)
def test_a_session_for_a_device_asks_for_no_scope(
    api: Callable[..., httpx.Response], wrong: dict[str, Any], status: int
) -> None:
    asset_id = api("GET", "/inverters").json()["data"][0]["id"]
    content = {"redirectUri": "https://app.example/back", "language": "de-DE"} | wrong
    assert api("POST", f"/assets/{asset_id}/relink", json=content).status_code == status
    assert api("POST", "/assets/no-such-asset/relink", json=content).status_code == 404
    assert api("GET", f"/assets/{asset_id}/relink").status_code == 405


def test_devices_of_a_user_whose_credentials_died_cannot_be_reached(
    simulator: Simulator, api: Callable[..., httpx.Response]
) -> None:
    dead, other = simulator.fleet.homes
    simulator.faults = Faults.pinned({dead.system_id: "relink"})
    listed = api("GET", "/inverters").json()["data"]
    reachable = {each["hemSystemId"]: each["isReachable"] for each in listed}
    assert reachable == {dead.system_id: False, other.system_id: True}
