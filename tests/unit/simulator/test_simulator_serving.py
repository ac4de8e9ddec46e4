import base64
from collections.abc import Callable
from datetime import date, timedelta
from itertools import chain
from typing import Any

import httpx
import pytest

from hem_etl.simulator import Fleet, Home, Quirks, Simulator, make_fleet
from hem_etl.vocabulary import IntervalKind

from .conftest import HEADERS, TODAY, Clock

Connect = Callable[[Simulator], httpx.Client]
Homes = Callable[..., Home]
PROBLEMS = "https://developers.enode.com/api/problems/"


def statistics(client: httpx.Client, system_id: str, query: str = "interval=2026-11-18") -> httpx.Response:
    return client.get(f"/hem-systems/{system_id}/statistics?{query}")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "interval is required"),
        ("interval=", "must be a day"),
        ("interval=2026-3-1", "must be a day"),
        ("interval=2026-W01", "must be a day"),
        ("interval=20261118", "must be a day"),
        ("interval=2026-11-18T00:00", "must be a day"),
        ("interval=%202026-11-18", "must be a day"),
        ("interval=%D9%A2026-11-18", "must be a day"),
        ("interval=2026", "must be a day"),
        ("interval=2026-02-30", "no date of the calendar"),
        ("interval=2026-13", "no date of the calendar"),
        ("interval=0000-01-01", "no date of the calendar"),
        ("interval=9999-12", "no date of the calendar"),
        ("interval=2026-11-18&interval=2026-11-18", "more than once"),
        ("interval=2026-11-18&timezone=UTC", "unknown query parameter 'timezone'"),
        ("Interval=2026-11-18", "unknown query parameter 'Interval'"),
        ("interval", "malformed"),
        ("interval=2026-11-18&interval=%FF", "malformed"),
        ("interval=2026-11-21", "has not begun"),
        ("interval=2026-12", "has not begun"),
        ("interval=2019-12-31", "before the installation date"),
        ("interval=2019-12", "before the installation date"),
    ],
)
def test_a_wrong_interval_is_refused(home: Homes, clock: Clock, connect: Connect, query: str, detail: str) -> None:
    answer = statistics(connect(Simulator(Fleet([home()]), clock=clock)), "home", query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "detail"}
    assert answer.json()["type"].startswith(PROBLEMS)
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("query", ["interval=2026-11-18", "interval=2026%2D11", "interval=2020-01", "interval=2026-11"])
def test_a_right_interval_is_answered(home: Homes, clock: Clock, connect: Connect, query: str) -> None:
    simulator = Simulator(Fleet([home(installed_on=date(2020, 1, 31))]), clock=clock)
    answer = statistics(connect(simulator), "home", query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert list(answer.json()) == ["timeseries"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Enode-Version": ""}, 400),
        ({"Enode-Version": "2024-01-01"}, 400),
        ({"Enode-User-Id": "somebody"}, 400),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic c2ltdWxhdG9yOnNpbXVsYXRvci1zZWNyZXQ="}, 401),
    ],
)
def test_wrong_headers_are_refused_everywhere(
    client: httpx.Client, fleet: Fleet, headers: dict[str, str], status: int
) -> None:
    for path in ("/hem-systems", f"/hem-systems/{fleet.homes[0].system_id}", "/meters"):
        assert client.get(path, headers=headers).status_code == status


def test_an_absent_version_is_refused(simulator: Simulator, client: httpx.Client) -> None:
    only_token = {"Authorization": client.headers["Authorization"]}
    assert simulator.handle("GET", "/hem-systems", headers=only_token).status == 400
    twice = [*only_token.items(), *HEADERS.items(), *HEADERS.items()]
    assert simulator.handle("GET", "/hem-systems", headers=twice).status == 400


def test_unknown_things_are_404_and_wrong_methods_405(client: httpx.Client, fleet: Fleet) -> None:
    system_id = fleet.homes[0].system_id
    for path in ("/", "/hem-systems/", "/hem-systems/nobody", "/hem-systems/nobody/statistics?interval=2026-11-18"):
        assert client.get(path).status_code == 404
    for path in (f"/hem-systems/{system_id}/history", "/users/nobody/hem-systems", "/vehicles", "/hem-systems/%FF"):
        assert client.get(path).status_code == 404
    assert client.post("/hem-systems").status_code == 405
    assert client.get("/oauth2/token").headers["allow"] == "POST"


def test_lists_and_objects_refuse_parameters_they_do_not_know(client: httpx.Client, fleet: Fleet) -> None:
    assert client.get("/hem-systems", params={"limit": 3}).status_code == 400
    assert client.get(f"/hem-systems/{fleet.homes[0].system_id}", params={"full": 1}).status_code == 400


def test_a_kind_of_interval_that_a_vendor_does_not_have_is_422(home: Homes, clock: Clock, connect: Connect) -> None:
    monthless = home(quirks=Quirks(unsupported=frozenset({IntervalKind.MONTH})))
    client = connect(Simulator(Fleet([monthless]), clock=clock))
    assert statistics(client, "home", "interval=2026-10").status_code == 422
    assert statistics(client, "home").status_code == 200


def test_a_young_interval_may_be_accepted_first_and_final_later(home: Homes, clock: Clock, connect: Connect) -> None:
    client = connect(Simulator(Fleet([home(quirks=Quirks(accepted_hours=20))]), clock=clock))
    young = statistics(client, "home", "interval=2026-11-19")
    assert (young.status_code, young.json()["retryAfter"]) == (202, "2026-11-20T13:00:00Z")
    clock.now += timedelta(hours=8)
    final = statistics(connect_again(client), "home", "interval=2026-11-19")
    assert final.status_code == 200
    assert final.json()["timeseries"] == young.json()["timeseries"]


def connect_again(client: httpx.Client) -> httpx.Client:
    """Renews the client's token."""
    answer = client.post(
        "/oauth2/token", auth=("simulator", "simulator-secret"), data={"grant_type": "client_credentials"}
    )
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


def test_a_switched_off_feature_is_403_after_a_good_token(simulator: Simulator, client: httpx.Client) -> None:
    simulator.is_feature_enabled = False
    assert client.get("/hem-systems").status_code == 403
    assert connect_again(client).get("/meters").status_code == 403


def test_the_thin_system_object_leaves_vendor_zone_and_place_to_others(fleet: Fleet, client: httpx.Client) -> None:
    rows = client.get("/hem-systems").json()["data"]
    assert {tuple(row) for row in rows} == {("id", "userId", "locationId", "status")}
    assert set(rows[0]["status"]) == {"lastSeen", "energy"}
    first = fleet.homes[0]
    one = client.get(f"/hem-systems/{first.system_id}").json()
    assert set(one) == set(rows[0])
    places = {row["id"]: row for row in client.get("/locations").json()["data"]}
    place = places[one["locationId"]]
    assert (place["latitude"], place["longitude"], place["timezoneName"]) == (first.latitude, first.longitude, "UTC")
    assert {row["vendor"] for row in client.get("/inverters").json()["data"]} == {home.vendor for home in fleet.homes}


def test_a_client_without_asset_scopes_may_list_systems_alone(fleet: Fleet, clock: Clock, connect: Connect) -> None:
    simulator = Simulator(fleet, clock=clock)
    simulator.has_asset_access = False
    client = connect(simulator)
    lists = ("inverters", "batteries", "meters", "locations", "hem-systems")
    assert [client.get(f"/{name}").status_code for name in lists] == [403] * 4 + [200]


def test_a_server_that_wants_a_slash_says_so_and_answers_with_it(fleet: Fleet, clock: Clock, connect: Connect) -> None:
    simulator = Simulator(fleet, clock=clock)
    simulator.moves_to_slash = True
    client = connect(simulator)
    moved = client.get("/hem-systems?pageSize=1")
    assert (moved.status_code, moved.headers["location"]) == (307, "/hem-systems/?pageSize=1")
    assert client.get("/hem-systems/?pageSize=1").status_code == 200
    assert statistics(client, fleet.homes[0].system_id).status_code == 307
    simulator.moves_to_slash = False
    assert client.get("/hem-systems/").status_code == 404


def test_the_rich_system_object_and_its_assets(clock: Clock, connect: Connect) -> None:
    fleet = make_fleet(today=TODAY, is_rich=True)
    client = connect(Simulator(fleet, clock=clock))
    rows = client.get("/hem-systems").json()["data"]
    assert [row["id"] for row in rows] == [home.system_id for home in reversed(fleet.homes)]
    assert [row["timezone"] for row in rows if "timezone" in row] == [
        home.timezone for home in reversed(fleet.homes) if home.quirks.has_system_timezone
    ]
    first = fleet.homes[0]
    one = client.get(f"/hem-systems/{first.system_id}").json()
    assert (one["vendor"], one["userId"], one["location"]["latitude"]) == (first.vendor, first.user_id, first.latitude)
    rates = one["energyState"]["rates"]
    assert rates["generation"] + rates["grid_import"] + rates["battery_discharge"] == pytest.approx(
        rates["consumption"] + rates["grid_export"] + rates["battery_charge"]
    )
    assets = {kind: client.get(f"/{kind}").json()["data"] for kind in ("inverters", "batteries", "meters")}
    assert {kind: len(rows) for kind, rows in assets.items()} == {"inverters": 19, "batteries": 14, "meters": 17}
    assert [row["id"] for row in assets["inverters"] if row["hemSystemId"] is None] != []
    battery = next(row for row in assets["batteries"] if row["hemSystemId"] == first.system_id)
    assert battery["capacity"] == first.battery_wh / 1000
    assert battery["information"]["brand"] == "Tesla"


def test_a_user_sees_only_own_systems(fleet: Fleet, client: httpx.Client) -> None:
    owner = fleet.homes[0].user_id
    rows = client.get(f"/users/{owner}/hem-systems").json()["data"]
    assert [row["id"] for row in rows] == [fleet.homes[3].system_id, fleet.homes[0].system_id]


def walk(client: httpx.Client, path: str, **parameters: Any) -> list[list[str]]:
    pages, after = [], None
    while not pages or after:
        content = client.get(path, params=parameters | ({"after": after} if after else {})).json()
        pages.append([row["id"] for row in content["data"]])
        after = content["pagination"]["after"]
    return pages


def test_pages_are_newest_first_complete_and_without_repeats(clock: Clock, connect: Connect) -> None:
    fleet = make_fleet(103, today=TODAY)
    client = connect(Simulator(fleet, clock=clock))
    for size, lengths in ((None, [50, 50, 3]), (100, [100, 3]), (103 // 2, [51, 51, 1])):
        pages = walk(client, "/hem-systems", **({"pageSize": size} if size else {}))
        assert [len(page) for page in pages] == lengths
        assert list(chain(*pages)) == [home.system_id for home in reversed(fleet.homes)]


def test_before_leads_back_to_the_page_before(client: httpx.Client) -> None:
    first = client.get("/hem-systems?pageSize=7").json()
    assert first["pagination"]["before"] is None
    second = client.get("/hem-systems", params={"pageSize": 7, "after": first["pagination"]["after"]}).json()
    back = client.get("/hem-systems", params={"pageSize": 7, "before": second["pagination"]["before"]}).json()
    assert back == first
    one = client.get("/hem-systems", params={"pageSize": 2, "before": second["pagination"]["before"]}).json()
    assert one["data"] == first["data"][5:]


def test_bad_paging_is_refused(client: httpx.Client) -> None:
    cursor = client.get("/hem-systems?pageSize=2").json()["pagination"]["after"]
    forged = base64.urlsafe_b64encode(b"3.000000000000").decode()
    for query in ("pageSize=0", "pageSize=101", "pageSize=x", "pageSize=", "pageSize=-1", "pageSize=1e1", "pageSize=٣"):
        assert client.get(f"/hem-systems?{query}").status_code == 400, query
    for query in (f"after={cursor}&before={cursor}", "after=", "after=nonsense", f"after={forged}", "before=%C3%A4"):
        assert client.get(f"/hem-systems?{query}").status_code == 400, query
    assert client.get(f"/meters?after={cursor}").status_code == 400
    assert client.get(f"/hem-systems?after={cursor}").status_code == 200


def test_a_token_expires_by_the_clock_and_can_be_revoked(simulator: Simulator, clock: Clock, connect: Connect) -> None:
    client = connect(simulator)
    clock.now += timedelta(seconds=3598)
    assert client.get("/hem-systems").status_code == 200
    clock.now += timedelta(seconds=1)
    assert client.get("/hem-systems").status_code == 401
    assert connect_again(client).get("/hem-systems").status_code == 200
    simulator.tokens.revoke_all()
    assert client.get("/hem-systems").status_code == 401
    simulator.tokens.expires_in = 60
    assert connect_again(client).get("/hem-systems").status_code == 200
    clock.now += timedelta(seconds=60)
    assert client.get("/hem-systems").status_code == 401


@pytest.mark.parametrize(
    ("auth", "form", "status"),
    [
        (("simulator", "simulator-secret"), {"grant_type": "client_credentials"}, 200),
        (("simulator", "wrong"), {"grant_type": "client_credentials"}, 401),
        (("somebody", "simulator-secret"), {"grant_type": "client_credentials"}, 401),
        (None, {"grant_type": "client_credentials"}, 401),
        (("simulator", "simulator-secret"), {"grant_type": "password"}, 400),
        (("simulator", "simulator-secret"), {"scope": "all"}, 400),
        (("simulator", "simulator-secret"), None, 400),
    ],
)
def test_the_token_desk_is_strict(
    simulator: Simulator, auth: tuple[str, str] | None, form: dict[str, str] | None, status: int
) -> None:
    with httpx.Client(transport=simulator.transport(), base_url="http://enode") as client:
        answer = client.post("/oauth2/token", auth=auth, data=form)
    assert answer.status_code == status
    if status == 200:
        told = {key: value for key, value in answer.json().items() if key != "access_token"}
        assert told == {"expires_in": 3599, "scope": "", "token_type": "bearer"}


def test_the_ledger_counts_what_came_in(simulator: Simulator, fleet: Fleet, client: httpx.Client) -> None:
    system_id = fleet.homes[0].system_id
    statistics(client, system_id)
    statistics(client, system_id)
    statistics(client, system_id, "interval=2026-10")
    client.get("/nowhere")
    assert simulator.ledger.requests == {("token", 200): 1, ("statistics", 200): 3, ("unknown", 404): 1}
    assert simulator.ledger.statistics == {(system_id, "2026-11-18"): 2, (system_id, "2026-10"): 1}
    assert simulator.ledger.total == 5
    simulator.ledger.clear()
    assert simulator.ledger.total == 0


def test_two_requests_of_one_system_at_once_are_noticed(fleet: Fleet, clock: Clock, connect: Connect) -> None:
    path = f"/hem-systems/{fleet.homes[0].system_id}/statistics"
    other = f"/hem-systems/{fleet.homes[1].system_id}/statistics"
    inner: list[int] = []

    def ask_again() -> None:
        if not inner:
            inner.append(0)
            headers = client.headers.multi_items()
            inner[:] = [simulator.handle("GET", at, "interval=2026-11-18", headers).status for at in (path, other)]

    simulator = Simulator(fleet, clock=clock, pause=ask_again)
    client = connect(simulator)
    assert client.get(f"{path}?interval=2026-11-18").status_code == 200
    assert inner == [429, 200]
    assert simulator.ledger.overlaps == {fleet.homes[0].system_id: 1, fleet.homes[1].system_id: 0}
    assert simulator.ledger.most_in_flight == 2
    assert client.get(f"{path}?interval=2026-11-18").status_code == 200


def test_the_same_request_gets_the_same_bytes_from_another_simulator(
    fleet: Fleet, clock: Clock, connect: Connect
) -> None:
    clients = [connect(Simulator(make_fleet(n, today=TODAY), clock=clock)) for n in (18, 40)]
    for home in fleet.homes:
        first, second = (statistics(client, home.system_id, "interval=2026-11-20").content for client in clients)
        assert first == second
