"""The client as a whole, on scripted answers: what is asked, what becomes of each answer, what never shows."""

import gzip
import logging
import threading
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hem_etl.enode.client import Answer, Connection, EnodeClient, Stopped
from hem_etl.errors import AccessError
from hem_etl.local_day import Interval
from hem_etl.vocabulary import Outcome

Connect = Callable[..., EnodeClient]
BODY = b'{"timeseries": {}}'


class Chunks(httpx.SyncByteStream):
    """A body that is read as it comes, as from a socket."""

    def __init__(self, body: bytes, size: int = 1000) -> None:
        self.body = body
        self.size = size

    def __iter__(self) -> Any:
        for start in range(0, len(self.body), self.size):
            yield self.body[start : start + self.size]


def problem(status: int, title: str = "", detail: str = "", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"title": title, "detail": detail}, headers=headers)


def page(*ids: str, after: str | None) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": i} for i in ids], "pagination": {"after": after, "before": None}})


def test_a_good_answer_is_its_exact_bytes_and_facts(connect: Connect, enode: Any, time: Any) -> None:
    enode.script = [httpx.Response(200, content=b'{"timeseries" :{}}\n')]
    enode.seconds_per_request = 2.0
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert answer == Answer(
        kind="day",
        system_id="home-1",
        interval=Interval.parse("2026-03-29"),
        page=0,
        user_id=None,
        fetched_at=time.now(),
        duration_ms=4000,
        attempts=1,
        http_status=200,
        outcome=None,
        detail=None,
        body=b'{"timeseries" :{}}\n',
    )


def test_statistics_are_asked_as_the_guide_says(connect: Connect, enode: Any) -> None:
    connect().fetch_statistics("home-1", Interval.parse("2026-03"))
    (request,) = enode.requests
    assert str(request.url) == "https://api.test/hem-systems/home-1/statistics?interval=2026-03"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["Enode-Version"] == "2024-10-01"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"].startswith("hem_etl/")
    assert "Enode-User-Id" not in request.headers
    assert request.extensions["timeout"]["read"] == 90


def test_the_token_is_asked_with_basic_credentials_and_a_form(connect: Connect, enode: Any) -> None:
    client = connect()
    client.fetch_system("home-1")
    (request,) = enode.token_requests
    assert request.method == "POST"
    assert str(request.url) == "https://oauth.test/oauth2/token"
    basic = b64encode(b"made-up-client-id:made-up-client-secret").decode()
    assert request.headers["Authorization"] == f"Basic {basic}"
    assert request.content == b"grant_type=client_credentials"
    assert client.requests_made == 2


@pytest.mark.parametrize(
    ("system_id", "path"),
    [
        ("a/../b", b"/hem-systems/a%2F..%2Fb/statistics"),
        ("x?y#z", b"/hem-systems/x%3Fy%23z/statistics"),
        ("søl 1", b"/hem-systems/s%C3%B8l%201/statistics"),
        ("50%2F", b"/hem-systems/50%252F/statistics"),
        ("line\nbreak\\", b"/hem-systems/line%0Abreak%5C/statistics"),
        ("...", b"/hem-systems/.../statistics"),
    ],
)
def test_an_id_stays_one_segment_of_the_path(connect: Connect, enode: Any, system_id: str, path: bytes) -> None:
    answer = connect().fetch_statistics(system_id, Interval.parse("2026-03-29"))
    assert enode.requests[0].url.raw_path == path + b"?interval=2026-03-29"
    assert answer.system_id == system_id


@pytest.mark.parametrize("system_id", ["", ".", "..", "\ud800", "é" * 70_000])
def test_an_id_that_can_be_no_segment_is_refused_without_asking(connect: Connect, enode: Any, system_id: str) -> None:
    answer = connect().fetch_statistics(system_id, Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.attempts, answer.http_status) == (Outcome.REFUSED, 0, None)
    assert enode.requests == []


def test_202_is_an_answer(connect: Connect, enode: Any) -> None:
    enode.script = [httpx.Response(202, content=BODY)]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.http_status, answer.outcome, answer.body) == (202, None, BODY)


def test_a_complete_body_that_is_no_json_is_handed_on_unjudged(connect: Connect, enode: Any) -> None:
    enode.script = [httpx.Response(200, content=b"<html>maintenance")]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.body, answer.attempts) == (None, b"<html>maintenance", 1)


def test_a_refusal_is_asked_once_and_keeps_the_problem(connect: Connect, enode: Any, time: Any) -> None:
    enode.script = [problem(400, "Bad request", "No data available for dates before the installation date")]
    answer = connect().fetch_statistics("home-1", Interval.parse("2019-01-01"))
    assert answer.outcome is Outcome.BEFORE_INSTALLATION
    assert answer.detail == "400 Bad request: No data available for dates before the installation date"
    assert answer.body == enode.script[0].content
    assert (answer.attempts, time.waits) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["/hem-systems/home/?interval=x", "https://api.test/hem-systems/home/", "https://api.test:443/hem-systems/home/"],
)
def test_a_redirect_that_adds_a_slash_is_followed_with_token_and_query(
    connect: Connect, enode: Any, status: int, location: str
) -> None:
    enode.script = [httpx.Response(status, headers={"location": location}), httpx.Response(200, json={"id": "home"})]
    answer = connect().fetch_system("home")
    assert (answer.http_status, answer.attempts, answer.outcome) == (200, 2, None)
    assert [request.url.path for request in enode.requests] == ["/hem-systems/home", "/hem-systems/home/"]
    assert {request.headers["Authorization"] for request in enode.requests} == {"Bearer token-1"}


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.test/hem-systems/home/",
        "http://api.test/hem-systems/home/",
        "https://api.test:8443/hem-systems/home/",
        "https://user@api.test/hem-systems/home/",
        "/hem-systems/other/",
        "/hem-systems/home",
        "//elsewhere.test/hem-systems/home/",
        "https://[",
        "",
    ],
)
def test_no_redirect_to_another_place_is_followed(connect: Connect, enode: Any, location: str) -> None:
    enode.script = [httpx.Response(307, headers={"location": location}), httpx.Response(200, json={"id": "home"})]
    answer = connect().fetch_system("home")
    assert (answer.http_status, answer.outcome) == (307, Outcome.REFUSED)
    assert len(enode.requests) == 1


def test_a_redirect_that_goes_to_and_fro_ends(connect: Connect, enode: Any) -> None:
    def back(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        return httpx.Response(307, headers={"location": path.rstrip("/") if path.endswith("/") else f"{path}/"})

    enode.script = [back]
    assert connect().fetch_system("home").outcome is Outcome.REFUSED
    assert len(enode.requests) == 2


def test_a_redirect_is_not_followed(connect: Connect, enode: Any) -> None:
    enode.script = [httpx.Response(302, headers={"location": "https://elsewhere.test/"})]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.http_status, len(enode.requests)) == (Outcome.REFUSED, 302, 1)


# --- retries ---------------------------------------------------------------------------------------------------------

PASSING: dict[str, Any] = {
    "503": problem(503),
    "500": problem(500),
    "502 with HTML": httpx.Response(502, content=b"<h1>Bad gateway</h1>"),
    "429": problem(429),
    "408": problem(408),
    "425": problem(425),
    "read timeout": httpx.ReadTimeout("The read operation timed out"),
    "connect timeout": httpx.ConnectTimeout("timed out"),
    "refused": httpx.ConnectError("[Errno 111] Connection refused"),
    "reset": httpx.ReadError("[Errno 104] Connection reset by peer"),
    "incomplete": httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    "short": httpx.Response(200, content=BODY, headers={"content-length": "99"}),
    "cut gzip": lambda _: httpx.Response(
        200, stream=Chunks(gzip.compress(BODY)[:-9]), headers={"content-encoding": "gzip"}
    ),
    "broken gzip": lambda _: httpx.Response(200, stream=Chunks(BODY), headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("failure", PASSING)
def test_what_can_pass_by_itself_is_asked_again_until_it_has(
    connect: Connect, enode: Any, time: Any, failure: str
) -> None:
    enode.script = [PASSING[failure]] * 4 + [httpx.Response(200, content=BODY)]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.body, answer.attempts) == (None, BODY, 5)
    assert time.waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("failure", ["503", "reset"])
def test_after_eight_tries_the_system_is_unreachable(connect: Connect, enode: Any, time: Any, failure: str) -> None:
    enode.script = [PASSING[failure]]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.attempts) == (Outcome.UNREACHABLE, 8)
    assert time.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert answer.duration_ms == 63_500
    if failure == "503":
        assert (answer.http_status, answer.body) == (503, PASSING["503"].content)
    else:
        assert (answer.http_status, answer.body) == (None, None)
        assert answer.detail == "ReadError: [Errno 104] Connection reset by peer"


def test_at_least_five_tries_are_made_however_slow_they_are(connect: Connect, enode: Any) -> None:
    enode.script = [httpx.ReadTimeout("slow")]
    enode.seconds_per_request = 90.0
    answer = connect(retry_seconds=60).fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.attempts) == (Outcome.UNREACHABLE, 5)


def test_past_five_tries_no_wait_ends_after_the_budget(connect: Connect, enode: Any, time: Any) -> None:
    enode.script = [problem(503)]
    answer = connect(retry_seconds=20).fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert answer.attempts == 6
    assert sum(time.waits) == 15.5


def test_retry_after_in_seconds_is_the_least_wait(connect: Connect, enode: Any, time: Any) -> None:
    enode.script = [problem(429, **{"Retry-After": "120"}), problem(429, **{"Retry-After": "0"}), PASSING["503"]]
    enode.script += [httpx.Response(200, content=BODY)]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert answer.outcome is None
    assert time.waits == [120.0, 1.0, 2.0]


def test_retry_after_as_a_date_is_understood(connect: Connect, enode: Any, time: Any) -> None:
    then = format_datetime(time.now() + timedelta(seconds=75), usegmt=True)
    enode.script = [problem(503, **{"Retry-After": then}), httpx.Response(200, content=BODY)]
    assert connect().fetch_statistics("home-1", Interval.parse("2026-03-29")).outcome is None
    assert time.waits == [75.0]


def test_a_retry_after_past_the_budget_closes_the_system_without_another_try(
    connect: Connect, enode: Any, time: Any
) -> None:
    enode.script = [problem(429, "Too many requests", **{"Retry-After": "3600"}), httpx.Response(200, content=BODY)]
    client = connect()
    first = client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    second = client.fetch_statistics("home-1", Interval.parse("2026-03-28"))
    other = client.fetch_statistics("home-2", Interval.parse("2026-03-29"))
    assert (first.outcome, first.attempts, first.http_status) == (Outcome.UNREACHABLE, 1, 429)
    assert first.detail == "asked to wait until 2026-03-29T07:00:00Z: 429 Too many requests"
    assert (second.outcome, second.attempts, second.http_status) == (Outcome.UNREACHABLE, 0, None)
    assert "until 2026-03-29T07:00:00Z" in (second.detail or "")
    assert other.outcome is None
    assert time.waits == []
    time.pass_seconds(3400)
    assert client.fetch_statistics("home-1", Interval.parse("2026-03-28")).outcome is None
    assert time.waits == [200.0]


def test_a_monstrous_retry_after_is_survived(connect: Connect, enode: Any) -> None:
    enode.script = [problem(503, **{"Retry-After": "9" * 30})]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.attempts) == (Outcome.UNREACHABLE, 1)


def test_a_system_never_has_two_requests_in_flight(connect: Connect, enode: Any) -> None:
    lock = threading.Lock()
    in_flight: list[str] = []
    overlaps: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        with lock:
            overlaps.extend({request.url.path}.intersection(in_flight))
            in_flight.append(request.url.path)
        threading.Event().wait(0.002)  # long enough for the others to come
        with lock:
            in_flight.remove(request.url.path)
        return httpx.Response(200, content=BODY)

    enode.script = [answer]
    client = connect()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(client.fetch_system, ["home-1", "home-2"] * 16))
    assert {answer.outcome for answer in answers} == {None}
    assert overlaps == []


# --- 401 and 403 -----------------------------------------------------------------------------------------------------


def test_a_401_renews_the_token_once_and_asks_again_at_once(connect: Connect, enode: Any, time: Any) -> None:
    client = connect()
    client.fetch_system("home-1")
    enode.script = [problem(401), httpx.Response(200, content=BODY)]
    answer = client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.attempts, time.waits) == (None, 2, [])
    assert enode.tokens_sent == ["token-1", "token-1", "token-2"]


def test_only_a_401_to_a_token_fetched_for_that_attempt_is_final(connect: Connect, enode: Any) -> None:
    client = connect()
    client.fetch_system("home-1")
    enode.script = [problem(401, "Unauthorized")]
    with pytest.raises(AccessError, match=r"401 Unauthorized.*ENODE_CLIENT_ID"):
        client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert enode.tokens_sent == ["token-1", "token-1", "token-2"]


def test_a_401_between_failures_does_not_use_up_tries(connect: Connect, enode: Any) -> None:
    client = connect()
    client.fetch_system("home-1")
    enode.script = [problem(503)] * 3 + [problem(401)] + [problem(503)]
    answer = client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.attempts) == (Outcome.UNREACHABLE, 9)


def test_403_on_statistics_concerns_that_system_only(connect: Connect, enode: Any) -> None:
    enode.script = [problem(403, "Forbidden")]
    answer = connect().fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.detail) == (Outcome.FORBIDDEN, "403 Forbidden")


@pytest.mark.parametrize("user_id", [None, "user-1"])
def test_403_on_the_list_of_systems_stops_and_says_whom_to_ask(
    connect: Connect, enode: Any, user_id: str | None
) -> None:
    enode.script = [problem(403, "Forbidden")]
    with pytest.raises(AccessError, match=r"beta.*Customer Success Manager"):
        list(connect().fetch_list("systems", user_id))


def test_403_on_assets_is_an_answer(connect: Connect, enode: Any) -> None:
    enode.script = [problem(403)]
    (answer,) = connect().fetch_list("inverters")
    assert answer.outcome is Outcome.FORBIDDEN


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "user_id", "path"),
    [
        ("systems", None, b"/hem-systems"),
        ("systems", "user/1", b"/users/user%2F1/hem-systems"),
        ("inverters", None, b"/inverters"),
        ("batteries", None, b"/batteries"),
        ("meters", None, b"/meters"),
    ],
)
def test_each_list_has_its_path_and_is_asked_without_a_page_size(
    connect: Connect, enode: Any, kind: str, user_id: str | None, path: bytes
) -> None:
    enode.script = [page("a", after=None)]
    (answer,) = connect().fetch_list(kind, user_id)
    assert enode.requests[0].url.raw_path == path
    assert (answer.kind, answer.page, answer.user_id, answer.system_id) == (kind, 0, user_id, None)


def test_pages_follow_the_cursor_to_its_end(connect: Connect, enode: Any) -> None:
    enode.script = [page("c", after="to b&c="), page("b", after="to a"), page("a", after=None)]
    answers = list(connect().fetch_list("systems"))
    assert [answer.page for answer in answers] == [0, 1, 2]
    assert [answer.outcome for answer in answers] == [None] * 3
    assert [dict(request.url.params) for request in enode.requests] == [{}, {"after": "to b&c="}, {"after": "to a"}]


def test_a_cursor_that_comes_back_ends_the_list_with_an_error(connect: Connect, enode: Any) -> None:
    enode.script = [page("c", after="1"), page("b", after="2"), page("a", after="1")]
    answers = list(connect().fetch_list("systems"))
    assert [answer.outcome for answer in answers] == [None, None, None, Outcome.REFUSED]
    assert answers[-1].detail == "the list was ended: its cursor came back"
    assert (answers[-1].page, answers[-1].attempts, answers[-1].body) == (3, 0, None)


def test_a_cursor_that_no_url_can_hold_ends_the_list_with_an_error(connect: Connect, enode: Any) -> None:
    enode.script = [page("c", after="x" * 70_000), page("b", after=None)]
    answers = list(connect().fetch_list("systems"))
    assert [answer.outcome for answer in answers] == [None, Outcome.REFUSED]
    assert answers[-1].detail == "the list was ended: its cursor is too long for a URL"


def test_a_page_cap_stops_a_cursor_that_never_ends(connect: Connect, enode: Any) -> None:
    enode.script = [lambda _: page("a", after=str(len(enode.requests)))]
    answers = list(connect(most_pages=4).fetch_list("systems"))
    assert [answer.outcome for answer in answers] == [None] * 4 + [Outcome.REFUSED]
    assert answers[-1].detail == "the list was ended after 4 pages"


def test_a_failed_page_is_the_last_answer(connect: Connect, enode: Any) -> None:
    enode.script = [page("a", after="1"), problem(503)]
    answers = list(connect().fetch_list("systems"))
    assert [answer.outcome for answer in answers] == [None, Outcome.UNREACHABLE]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": {}}', b'{"timeseries": {}}'])
def test_a_200_that_is_no_page_is_unreadable_and_kept(connect: Connect, enode: Any, body: bytes) -> None:
    enode.script = [httpx.Response(200, content=body)]
    (answer,) = connect().fetch_list("systems")
    assert (answer.outcome, answer.http_status, answer.body) == (Outcome.UNREADABLE, 200, body)


def test_what_is_no_list_is_the_callers_mistake(connect: Connect) -> None:
    with pytest.raises(ValueError):
        connect().fetch_list("vehicles")
    with pytest.raises(ValueError):
        connect().fetch_list("inverters", "user-1")


def test_a_user_that_can_be_no_segment_is_refused_without_asking(connect: Connect, enode: Any) -> None:
    (answer,) = connect().fetch_list("systems", "..")
    assert (answer.outcome, enode.requests) == (Outcome.REFUSED, [])


# --- body cap --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
def test_a_body_up_to_the_cap_is_read_and_one_byte_more_is_not(connect: Connect, enode: Any, compressed: bool) -> None:
    headers = {"content-encoding": "gzip"} if compressed else {}

    def served(size: int) -> Callable[[httpx.Request], httpx.Response]:
        body = b"x" * size
        return lambda _: httpx.Response(
            200, headers=headers, stream=Chunks(gzip.compress(body) if compressed else body)
        )

    client = connect(max_body_bytes=10_000)
    enode.script = [served(10_000)]
    assert client.fetch_system("home-1").body == b"x" * 10_000
    enode.script = [served(10_001)]
    answer = client.fetch_system("home-1")
    assert (answer.outcome, answer.body, answer.http_status) == (Outcome.UNREADABLE, None, 200)
    assert answer.detail == "the body is longer than the cap"
    assert answer.attempts == 1


def test_a_compressed_bomb_is_not_unpacked(connect: Connect, enode: Any) -> None:
    bomb = gzip.compress(b"\0" * 30_000_000)
    enode.script = [
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(bomb, size=len(bomb)))
    ]
    client = connect(max_body_bytes=100_000)
    tracemalloc.start()
    try:
        answer = client.fetch_system("home-1")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.outcome is Outcome.UNREADABLE
    assert peak_bytes < 3_000_000


def test_gzip_of_several_members_is_read_whole(connect: Connect, enode: Any) -> None:
    body = gzip.compress(b'{"timeseries"') + gzip.compress(b": {}}")
    enode.script = [lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(body, 7))]
    assert connect().fetch_system("home-1").body == BODY


def test_a_body_that_a_transport_has_read_already_is_capped_too(connect: Connect, enode: Any) -> None:
    enode.script = [httpx.Response(200, content=b"x" * 101)]
    assert connect(max_body_bytes=100).fetch_system("home-1").outcome is Outcome.UNREADABLE


def test_a_body_that_trickles_for_ever_is_given_up(connect: Connect, enode: Any, time: Any) -> None:
    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                time.pass_seconds(20)
                yield b"x"

    enode.script = [lambda _: httpx.Response(200, stream=Trickle())]
    answer = connect(read_timeout_seconds=30).fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert (answer.outcome, answer.detail) == (Outcome.UNREACHABLE, "ReadTimeout: the body did not end in time")


# --- what never shows ------------------------------------------------------------------------------------------------


def test_no_secret_shows_in_logs_exceptions_answers_or_reprs(
    connect: Connect, enode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole failing session whose problems echo the credentials back at us."""
    caplog.set_level(logging.DEBUG)
    secret, basic = "s3cr3t-of-the-client", b64encode(b"made-up-client-id:s3cr3t-of-the-client").decode()
    never = [secret, basic, "token-1", "token-2", "token-3"]
    never_logged = [*never, "user-77", "?interval", "after=", "api.test"]
    echo = f"you sent Bearer token-1 {secret} {basic} token-2"
    client = connect(client_secret=SecretStr(secret))
    shown: list[str] = [repr(client)]
    enode.script = [
        problem(503, "down", echo, **{"Retry-After": "11"}),
        httpx.ReadError(f"reset while sending {secret} to https://api.test/x?after=1"),
        problem(401, echo),
        problem(400, echo, echo),
    ]
    refused = client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    enode.script = [problem(503, echo)]
    given_up = client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    enode.script = [page("a", after="cursor"), httpx.Response(500, content=echo.encode())]
    pages = list(client.fetch_list("systems", "user-77"))
    enode.script = [httpx.ReadError(f"reset while sending {secret} to https://host.test/x?after=1")]
    reset = client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    enode.script = [problem(401, echo)]
    with pytest.raises(AccessError) as on_api:
        client.fetch_system("home-1")
    enode.token_script = [problem(400, echo, echo)]
    with pytest.raises(AccessError) as on_token:
        client.fetch_system("home-1")
    enode.token_script = [httpx.ConnectError(f"cannot connect with {secret}")]
    silent = client.fetch_system("home-1")
    answers = [refused, given_up, pages[-1], reset, silent]
    assert [a.outcome for a in answers] == [Outcome.REFUSED, *[Outcome.UNREACHABLE] * 4]
    shown += [str(a.detail) for a in answers]
    shown += [str(on_api.value), str(on_token.value)]
    records = [record.getMessage() for record in caplog.records]
    assert len(records) > 20
    assert [text for text in shown for word in [*never, "after="] if word in text] == []
    assert [text for text in records for word in never_logged if word in text] == []
    connection = Connection("https://api.test", "https://oauth.test/t", "the-client", SecretStr(secret))
    assert secret not in repr(connection)
    assert "the-client" not in repr(connection)


class LongTurns:
    """Another run keeps the system for more than six minutes."""

    @contextmanager
    def of(self, system_id: str, pause: Callable[[float], object]) -> Iterator[None]:
        for _ in range(8000):
            pause(0.05)
        yield

    def close(self) -> None:
        pass


def test_who_waits_long_for_another_run_that_asks_for_the_same_system_says_so(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    answer = connect(turns=LongTurns()).fetch_statistics("home-1", Interval.parse("2026-03-29"))
    assert answer.http_status == 200
    assert caplog.messages[:2] == [
        "waiting for another run that asks for system=home-1 seconds=60",
        "waiting for another run that asks for system=home-1 seconds=360",
    ]


def test_httpx_keeps_a_log_level_that_somebody_has_set(connect: Connect) -> None:
    logger = logging.getLogger("httpx")
    before = logger.level
    try:
        logger.setLevel(logging.NOTSET)
        connect()
        assert logger.level == logging.WARNING
        logger.setLevel(logging.INFO)
        connect()
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)


def test_after_stop_nothing_is_asked(connect: Connect, enode: Any) -> None:
    client = connect()
    client.fetch_system("home-1")
    client.stop()
    for ask in (lambda: client.fetch_system("home-1"), lambda: list(client.fetch_list("systems"))):
        with pytest.raises(Stopped):
            ask()
    assert len(enode.requests) == 1
