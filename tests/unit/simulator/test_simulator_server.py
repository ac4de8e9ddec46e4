import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from waits import GENEROUS_SECONDS

from hem_etl.simulator import Faults, Fleet, Home, Simulator, serve

from .conftest import HEADERS, Clock, authorised

HOSTILE = "a/../b?x=1#ü%2F"
STATISTICS = "/hem-systems/home/statistics?interval=2026-11-18"


@pytest.fixture(scope="module")
def served(home: Callable[..., Home]) -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator(Fleet([home(), home(system_id=HOSTILE)]), clock=Clock())
    with serve(simulator, slow_seconds=0.3) as url:
        yield simulator, url


@pytest.fixture
def over_socket(served: tuple[Simulator, str]) -> Iterator[httpx.Client]:
    simulator, url = served
    simulator.faults = Faults.none()
    with httpx.Client(base_url=url, headers=HEADERS, timeout=GENEROUS_SECONDS, trust_env=False) as client:
        yield authorised(client, simulator)


def test_the_socket_serves_the_same_bytes_as_the_transport(
    served: tuple[Simulator, str], over_socket: httpx.Client
) -> None:
    with httpx.Client(transport=served[0].transport(), base_url="http://enode", headers=over_socket.headers) as inside:
        for path in (STATISTICS, "/hem-systems", "/meters?pageSize=1", "/nowhere", "/hem-systems?x=1"):
            here, there = inside.get(path), over_socket.get(path)
            assert (here.status_code, here.content) == (there.status_code, there.content)
            assert here.headers["content-type"] == there.headers["content-type"]


def test_a_hostile_id_survives_the_socket(over_socket: httpx.Client) -> None:
    assert over_socket.get(f"/hem-systems/{quote(HOSTILE, safe='')}").json()["id"] == HOSTILE


def test_a_reset_really_closes_the_connection(served: tuple[Simulator, str], over_socket: httpx.Client) -> None:
    served[0].faults = Faults.parse("reset:1")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        over_socket.get(STATISTICS)
    assert over_socket.get(STATISTICS).status_code == 200


def test_a_truncated_body_really_ends_early(served: tuple[Simulator, str], over_socket: httpx.Client) -> None:
    served[0].faults = Faults.parse("truncated:1")
    with over_socket.stream("GET", STATISTICS) as answer:
        announced, received = int(answer.headers["content-length"]), 0
        with pytest.raises(httpx.RemoteProtocolError):
            for part in answer.iter_raw():
                received += len(part)
    assert 0 < received < announced
    assert len(over_socket.get(STATISTICS).content) == announced


def test_a_slow_answer_really_takes_its_time(served: tuple[Simulator, str], over_socket: httpx.Client) -> None:
    started = time.monotonic()
    served[0].faults = Faults.parse("slow:1")
    assert over_socket.get(STATISTICS).status_code == 200
    assert time.monotonic() - started >= 0.3


def test_requests_of_one_system_that_overlap_get_a_429(
    served: tuple[Simulator, str], over_socket: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = served[0].answer
    is_here, may_go = threading.Event(), threading.Event()

    def answer(request: Any, ticket: Any) -> Any:
        if not is_here.is_set():
            is_here.set()
            assert may_go.wait(GENEROUS_SECONDS)
        return real(request, ticket)

    monkeypatch.setattr(served[0], "answer", answer)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(over_socket.get, STATISTICS)
        assert is_here.wait(GENEROUS_SECONDS)
        second = over_socket.get(STATISTICS)
        may_go.set()
        assert (first.result(GENEROUS_SECONDS).status_code, second.status_code) == (200, 429)


def test_a_request_that_is_too_long_is_refused(over_socket: httpx.Client) -> None:
    assert over_socket.post("/oauth2/token", content=b"x" * 100_000).status_code == 413


def test_the_server_stops_when_its_block_ends(home: Callable[..., Home]) -> None:
    threads = set(threading.enumerate())
    with serve(Simulator(Fleet([home()]))) as url:
        assert httpx.get(f"{url}/nowhere", trust_env=False).status_code == 404
    assert set(threading.enumerate()) <= threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
