"""The access token: one flight for all threads, renewed ahead, and what its endpoint's failures mean."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from waits import GENEROUS_SECONDS

from hem_etl.enode.client import EnodeClient
from hem_etl.enode.token import Token
from hem_etl.errors import AccessError
from hem_etl.local_day import Interval
from hem_etl.vocabulary import Outcome

Connect = Callable[..., EnodeClient]
THREADS = 16


def test_sixteen_threads_share_the_first_token(connect: Connect, enode: Any) -> None:
    client = connect()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(client.fetch_system, [f"home-{n}" for n in range(THREADS)]))
    assert {answer.outcome for answer in answers} == {None}
    assert len(enode.token_requests) == 1


def test_sixteen_threads_that_see_one_token_refused_renew_it_once(connect: Connect, enode: Any) -> None:
    client = connect()
    client.fetch_system("home-0")
    all_refused = threading.Barrier(THREADS)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer token-1":
            all_refused.wait(GENEROUS_SECONDS)  # nobody renews before everybody was refused
            return httpx.Response(401)
        return httpx.Response(200, content=b"{}")

    enode.script = [answer]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(client.fetch_system, [f"home-{n}" for n in range(THREADS)]))
    assert {(answer.outcome, answer.attempts) for answer in answers} == {(None, 2)}
    assert len(enode.token_requests) == 2
    assert enode.tokens_sent.count("token-2") == THREADS


def test_a_token_that_another_thread_fetched_is_not_this_attempts_own(connect: Connect, enode: Any) -> None:
    """So a 401 to it is not final: it may have been revoked in between."""
    client = connect()
    flight: Future[Token] = Future()
    flight.set_result(Token("of-another", 1e9))
    client._tokens._flight = flight
    assert client._tokens.current() == ("of-another", False)


def test_threads_that_wait_for_a_flight_share_its_failure(connect: Connect, enode: Any) -> None:
    """Otherwise each would spend its own retry budget on it, one after the other."""
    asked = threading.Event()
    let_go = threading.Event()

    def refuse(_: httpx.Request) -> httpx.Response:
        asked.set()
        let_go.wait(GENEROUS_SECONDS)
        return httpx.Response(503)

    enode.token_script = [refuse]
    client = connect(retry_seconds=0)
    with ThreadPoolExecutor(THREADS) as pool:
        looks = [pool.submit(client.fetch_system, f"home-{n}") for n in range(THREADS)]
        assert asked.wait(GENEROUS_SECONDS)
        let_go.set()
        answers = [look.result(GENEROUS_SECONDS) for look in looks]
    assert {answer.outcome for answer in answers} == {Outcome.UNREACHABLE}
    assert len(enode.token_requests) == 5
    assert enode.requests == []


@pytest.mark.parametrize(("expires_in", "renewed_after"), [(3599, 3539), (100, 90), (10, 9)])
def test_a_token_is_renewed_ahead_of_its_end(
    connect: Connect, enode: Any, time: Any, expires_in: int, renewed_after: float
) -> None:
    enode.expires_in = expires_in
    client = connect()
    client.fetch_system("home-1")
    time.pass_seconds(renewed_after - 0.5)
    client.fetch_system("home-1")
    assert len(enode.token_requests) == 1
    time.pass_seconds(0.5)
    client.fetch_system("home-1")
    assert enode.tokens_sent == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize("expires_in", [None, "3599", True, -1, 0, [], 1e999])
def test_a_lifetime_that_cannot_be_read_is_taken_for_five_minutes(
    connect: Connect, enode: Any, time: Any, expires_in: Any
) -> None:
    body = b'{"access_token": "token-x", "expires_in": Infinity}'
    if expires_in != 1e999:
        enode.expires_in = expires_in
    else:
        enode.token_script = [httpx.Response(200, content=body)]
    client = connect()
    client.fetch_system("home-1")
    time.pass_seconds(269)
    client.fetch_system("home-1")
    assert len(enode.token_requests) == 1
    time.pass_seconds(2)
    client.fetch_system("home-1")
    assert len(enode.token_requests) == 2


@pytest.mark.parametrize(
    "failure", [httpx.Response(503), httpx.Response(429), httpx.ConnectError("refused"), httpx.ReadTimeout("slow")]
)
def test_a_token_endpoint_that_recovers_costs_only_time(connect: Connect, enode: Any, time: Any, failure: Any) -> None:
    enode.token_script = [failure] * 9 + [httpx.Response(200, json={"access_token": "late", "expires_in": 3599})]
    answer = connect().fetch_system("home-1")
    assert (answer.outcome, answer.attempts) == (None, 1)
    assert time.waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_after_a_whole_silent_budget_looks_fail_at_once_for_a_while(connect: Connect, enode: Any, time: Any) -> None:
    enode.token_script = [httpx.Response(503, json={"title": "Down"})]
    client = connect()
    first = client.fetch_system("home-1")
    assert (first.outcome, first.http_status, first.attempts) == (Outcome.UNREACHABLE, None, 0)
    assert first.detail == "no token: 503 Down"
    assert sum(time.waits) <= 300
    asked = len(enode.token_requests)
    assert client.fetch_system("home-2").outcome is Outcome.UNREACHABLE
    assert len(enode.token_requests) == asked
    time.pass_seconds(30)
    enode.token_script = []
    assert client.fetch_system("home-2").outcome is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(400, json={"error": "invalid_client"}), "400 invalid_client.*ENODE_CLIENT_SECRET"),
        (httpx.Response(401), "401.*ENODE_CLIENT_SECRET"),
        (httpx.Response(403, json={"title": "Forbidden"}), "403 Forbidden.*beta.*Customer Success Manager"),
        (httpx.Response(404), "404.*ENODE_OAUTH_URL"),
        (httpx.Response(302), "302.*ENODE_OAUTH_URL"),
        (httpx.Response(200, content=b"<html>log in"), "without a token.*ENODE_OAUTH_URL"),
        (httpx.Response(200, json={"access_token": "with\nbreak"}), "without a token"),
        (httpx.Response(200, json=["token"]), "without a token"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "SSL_CERT_FILE"),
    ],
)
def test_what_a_person_must_mend_is_said_with_the_next_step(
    connect: Connect, enode: Any, answer: Any, told: str
) -> None:
    enode.token_script = [answer]
    with pytest.raises(AccessError, match=told):
        connect(retry_seconds=1).fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert enode.requests == []


def test_credentials_are_asked_again_by_the_next_look(connect: Connect, enode: Any) -> None:
    enode.token_script = [httpx.Response(401)]
    client = connect()
    with pytest.raises(AccessError):
        client.fetch_system("home-1")
    enode.token_script = []
    assert client.fetch_system("home-1").outcome is None
