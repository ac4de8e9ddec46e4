import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from hem_etl.simulator import Faults, Fleet, Home, Simulator, make_fleet
from hem_etl.simulator.faults import DEFAULT_RATES, MOST_SPOILT_TRIES, SOME_INTERVALS, TRANSIENT, WHOLE_SYSTEM
from hem_etl.simulator.spoiling import UNREADABLE_KINDS, unreadable_kind

from .conftest import NOON, TODAY, Clock

Connect = Callable[[Simulator], httpx.Client]
DAYS = [(TODAY - timedelta(days=age)).isoformat() for age in range(1, 15)]


@pytest.fixture
def ask(home: Callable[..., Home], clock: Clock, connect: Connect) -> Callable[..., httpx.Response]:
    """Asks the statistics of a clean home that has pinned faults, or transient ones by text."""
    simulator = Simulator(Fleet([home()]), clock=clock)
    client = connect(simulator)

    def get(faults: Faults | None = None, interval: str = "2026-11-18") -> httpx.Response:
        if faults is not None:
            simulator.faults = faults
        return client.get(f"/hem-systems/home/statistics?interval={interval}")

    return get


def test_names_and_rates_are_read_strictly() -> None:
    assert Faults.parse("burst_503, reset:0.5", 3) == Faults(rates={"burst_503": 0.1, "reset": 0.5}, seed=3)
    assert Faults.parse("all", 4) == Faults.all(4)
    assert Faults.parse("none").rates == Faults.parse("").rates == Faults.none().rates == {}
    for text in ("nonsense", "reset:2", "reset:x", "reset:nan", "all:1"):
        with pytest.raises(ValueError, match=text.partition(":")[0]):
            Faults.parse(text)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("burst_503", [503, 503, 200]),
        ("rate_limit", [429, 200]),
        ("rate_limit_date", [429, 200]),
        ("rate_limit_bare", [429, 200]),
    ],
)
def test_a_transient_status_goes_away_and_comes_back_for_the_next_look(
    ask: Callable[..., httpx.Response], name: str, statuses: list[int]
) -> None:
    answers = [ask(Faults.parse(f"{name}:1")), *(ask() for _ in statuses[1:])]
    assert [answer.status_code for answer in answers] == statuses
    assert ask().status_code == statuses[0]
    retry_after = answers[0].headers.get("retry-after")
    if name == "rate_limit":
        assert retry_after == "1"
    elif name == "rate_limit_date":
        assert parsedate_to_datetime(retry_after) == NOON + timedelta(seconds=1)
    else:
        assert retry_after is None


def test_a_date_to_wait_for_is_never_too_early(ask: Callable[..., httpx.Response], clock: Clock) -> None:
    clock.now = NOON + timedelta(microseconds=1)
    answer = ask(Faults.parse("rate_limit_date:1"))
    assert parsedate_to_datetime(answer.headers["retry-after"]) == NOON + timedelta(seconds=2)


@pytest.mark.parametrize(
    ("name", "error"),
    [("reset", httpx.ReadError), ("truncated", httpx.RemoteProtocolError), ("slow", httpx.ReadTimeout)],
)
def test_faults_of_the_transport_are_errors_of_httpx(
    ask: Callable[..., httpx.Response], name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(Faults.parse(f"{name}:1"))
    assert ask().status_code == 200


def test_at_most_three_tries_are_spoilt_and_repeatably() -> None:
    faults = Faults(rates=dict.fromkeys(TRANSIENT, 0.5), seed=5)
    again = Faults(rates=dict.fromkeys(TRANSIENT, 0.5), seed=5)
    other = Faults(rates=dict.fromkeys(TRANSIENT, 0.5), seed=6)
    keys = [f"/hem-systems/{i}/statistics" for i in range(50)]
    told = [[one.transient(key, n) for key in keys for n in range(5)] for one in (faults, again, other)]
    assert told[0] == told[1] != told[2]
    assert all(faults.transient(key, MOST_SPOILT_TRIES) is None for key in keys)


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("relink", 400, "credentials"),
        ("before_installation", 400, "installation date"),
        ("bad_query", 400, "query"),
        ("forbidden", 403, "access"),
        ("lying_404", 404, "not found"),
        ("unsupported", 422, "not supported"),
        ("outage", 503, "unavailable"),
    ],
)
def test_a_persistent_status_stays(ask: Callable[..., httpx.Response], name: str, status: int, word: str) -> None:
    faults = Faults.pinned({"home": name})
    for answer in (ask(faults), ask(), ask(interval="2026-10")):
        assert answer.status_code == status
        assert word in answer.json()["detail"]
    assert ask(Faults.none()).status_code == 200


def test_a_vanishing_system_is_gone_everywhere_after_two_answers(
    home: Callable[..., Home], clock: Clock, connect: Connect
) -> None:
    simulator = Simulator(Fleet([home(), home(system_id="other")]), clock=clock)
    client = connect(simulator)
    simulator.faults = Faults.pinned({"home": "vanish"})
    statuses = [client.get(f"/hem-systems/home/statistics?interval={day}").status_code for day in DAYS[:4]]
    assert statuses == [200, 200, 404, 404]
    assert client.get("/hem-systems/home").status_code == 404
    assert [row["id"] for row in client.get("/hem-systems").json()["data"]] == ["other"]
    assert [row["hemSystemId"] for row in client.get("/inverters").json()["data"]] == ["other"]
    simulator.faults = Faults.none()
    assert len(client.get("/hem-systems").json()["data"]) == 2


def test_a_lying_404_leaves_the_system_in_place(home: Callable[..., Home], clock: Clock, connect: Connect) -> None:
    simulator = Simulator(Fleet([home()]), clock=clock, faults=Faults.pinned({"home": "lying_404"}))
    client = connect(simulator)
    assert client.get("/hem-systems/home/statistics?interval=2026-11-18").status_code == 404
    assert client.get("/hem-systems/home").status_code == 200
    assert len(client.get("/hem-systems").json()["data"]) == 1


def test_unreadable_bodies_come_in_all_kinds(ask: Callable[..., httpx.Response]) -> None:
    faults = Faults.pinned({"home": "unreadable"})
    kinds = {unreadable_kind(faults.seed, "home", day): day for day in DAYS}
    assert set(kinds) == set(UNREADABLE_KINDS)
    assert ask(faults, kinds["html"]).text.startswith("<html>")
    assert isinstance(ask(faults, kinds["list"]).json(), list)
    assert ask(faults, kinds["unit"]).json()["timeseries"]["import"]["unit"] == "BTU"
    assert ask(faults, kinds["resolution"]).json()["timeseries"]["batteryLevel"]["sampling"]["resolution"] == "PT7M"
    assert ask(faults).status_code == 200
    assert all(unreadable_kind(1, "home", f"2026-{month:02}") != "resolution" for month in range(1, 13))


def test_bad_points_are_three_in_one_series(ask: Callable[..., httpx.Response]) -> None:
    clean = ask(Faults.none()).json()["timeseries"]
    spoilt = ask(Faults.pinned({"home": "bad_points"})).json()["timeseries"]
    assert [name for name in clean if clean[name] != spoilt[name]] == ["generation"]
    pairs = zip(clean["generation"]["data"], spoilt["generation"]["data"], strict=True)
    changed = [
        (before, after) for before, after in pairs if before != after or type(before["v"]) is not type(after["v"])
    ]
    assert len(changed) == 3
    assert {repr(after["v"]) for before, after in changed if after["t"] == before["t"]} == {"'n/a'", "True"}
    naive = [after["t"] for before, after in changed if after["t"] != before["t"]]
    assert [datetime.fromisoformat(stamp).tzinfo for stamp in naive] == [None]


def test_a_series_vanishes_only_after_it_was_there(ask: Callable[..., httpx.Response]) -> None:
    faults = Faults.pinned({"home": "vanished_series"})
    first, second = ask(faults).json()["timeseries"], ask().json()["timeseries"]
    assert first["generation"]["isAvailable"] is True
    assert second["generation"]["isAvailable"] is False
    assert second["consumption"] == first["consumption"]
    assert ask(Faults.none()).json()["timeseries"] == first


def test_a_token_is_revoked_at_its_tenth_use_and_never_when_fresh(
    ask: Callable[..., httpx.Response], simulator: Simulator, client: httpx.Client, fleet: Fleet
) -> None:
    assert Faults.none().uses_of_a_token is None
    assert Faults.all().uses_of_a_token == 100
    simulator.faults = Faults.parse("revoked_token:1")
    path = f"/hem-systems/{fleet.homes[0].system_id}/statistics?interval=2026-11-18"
    assert [client.get(path).status_code for _ in range(11)] == [200] * 9 + [401] * 2
    assert client.get("/hem-systems").status_code == 401


def test_pages_may_repeat_a_row(fleet: Fleet, clock: Clock, connect: Connect) -> None:
    client = connect(Simulator(fleet, clock=clock, faults=Faults.parse("repeated_rows")))
    first = client.get("/hem-systems?pageSize=1").json()
    second = client.get("/hem-systems", params={"pageSize": 1, "after": first["pagination"]["after"]}).json()
    assert second["data"][0] == first["data"][0]
    assert len(second["data"]) == 2


@pytest.mark.parametrize("seed", range(5))
def test_all_faults_on_the_default_fleet_leave_a_clean_majority(seed: int) -> None:
    ids = [home.system_id for home in make_fleet(today=TODAY).homes]
    faults = Faults.all(seed).bound_to(ids)
    told = {system_id: {faults.describe(system_id, day) for day in DAYS} - {None} for system_id in ids}
    assert sum(not names for names in told.values()) > len(ids) / 2
    assert set().union(*told.values()) == set(WHOLE_SYSTEM | SOME_INTERVALS)
    assert faults.bound_to(ids[:3]) is faults


def test_shares_grow_with_the_fleet_and_small_fleets_keep_their_majority() -> None:
    ids = [f"home {i}" for i in range(1_000)]
    counts = Counter(target[0].name for target in (Faults.parse("relink:0.1").bound_to(ids).targets or {}).values())
    assert counts == {"relink": 100}
    assert len(Faults.parse("relink:1").bound_to(ids).targets or {}) == 499
    assert [len(Faults.all().bound_to(ids[:n]).targets or {}) for n in (0, 1, 2, 3, 4, 5)] == [0, 1, 1, 1, 1, 2]


def test_faults_that_met_no_fleet_say_so() -> None:
    with pytest.raises(ValueError, match="met no fleet"):
        Faults.all().describe("home", "2026-11-18")
    with pytest.raises(ValueError, match="no persistent fault"):
        Faults.pinned({"home": "reset"})


def test_with_every_fault_each_answer_is_what_describe_says(clock: Clock, connect: Connect) -> None:
    """Reads the whole default fleet for four days, trying again as a client would."""
    simulator = Simulator(make_fleet(today=TODAY), clock=clock, faults=Faults.all(2))
    client = connect(simulator)
    expected = {None: 200, "relink": 400, "before_installation": 400, "bad_query": 400, "forbidden": 403}
    expected |= {"lying_404": 404, "unsupported": 422, "outage": 503, "unreadable": 200, "bad_points": 200}
    expected |= {"vanished_series": 200}
    for home in simulator.fleet.homes:
        for day in DAYS[2:6]:
            fault = simulator.faults.describe(home.system_id, day)
            if fault != "vanish":
                answer = persist(client, simulator, f"/hem-systems/{home.system_id}/statistics?interval={day}")
                assert answer.status_code == expected[fault], (home.vendor, day, fault)
                assert fault is not None or json.loads(answer.content)["timeseries"]
    assert any(status == 503 for _, status in simulator.ledger.requests)
    assert len(DEFAULT_RATES) == 20


def persist(client: httpx.Client, simulator: Simulator, path: str) -> httpx.Response:
    """Asks until the answer is neither broken nor transient; six tries."""
    answer = httpx.Response(599)
    for _ in range(6):
        try:
            answer = client.get(path)
        except httpx.TransportError:
            continue
        if answer.status_code == 401:
            form = {"grant_type": "client_credentials"}
            token = client.post("/oauth2/token", auth=("simulator", "simulator-secret"), data=form).json()
            client.headers["Authorization"] = f"Bearer {token['access_token']}"
        elif answer.status_code not in (429, 503):
            break
    return answer
