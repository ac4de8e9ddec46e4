"""Threads, sockets and proxies: one client per thread, stop that ends a read, loopback asked directly."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from waits import GENEROUS_SECONDS

from hem_etl.cli.doctor import examine
from hem_etl.enode.client import Connection, EnodeClient, Stopped
from hem_etl.enode.gate import Gate
from hem_etl.enode.transfer import Transfer, is_loopback
from hem_etl.errors import SettingsError
from hem_etl.local_day import Interval
from hem_etl.orchestration.sensors import post_alert
from hem_etl.settings import GivenSettings
from hem_etl.vocabulary import Outcome

Connect = Callable[..., EnodeClient]
TOKEN = b'{"access_token": "token-1", "expires_in": 3599}'


class SocketServer:
    """A server of one thread per connection: `answer(path)` gives the raw bytes to send, None to say nothing at all."""

    def __init__(self, answer: Callable[[str], bytes | None]) -> None:
        self.answer = answer
        self.asked = threading.Semaphore(0)
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                self.threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self.threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
                if b"\r\n\r\n" not in received or (received.startswith(b"POST") and b"grant_type" not in received):
                    continue
                path = received.split(b" ", 2)[1].decode()
                received = b""
                answer = raw(200, TOKEN) if path == "/token" else self.answer(path)
                if path != "/token":
                    self.asked.release()
                if answer is not None:
                    connection.sendall(answer)
                    if answer.endswith(b"cut"):
                        return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(GENEROUS_SECONDS)


def raw(status: int, body: bytes, length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def serve() -> Iterator[Callable[..., SocketServer]]:
    servers: list[SocketServer] = []

    def serve(answer: Callable[[str], bytes | None]) -> SocketServer:
        servers.append(SocketServer(answer))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def client_of(server: SocketServer, **arguments: Any) -> EnodeClient:
    return EnodeClient(
        Connection(server.url, f"{server.url}/token", "made-up-id", SecretStr("made-up-secret")), **arguments
    )


def test_stop_ends_reads_that_wait_for_a_slow_vendor(serve: Any) -> None:
    server = serve(lambda path: None)
    with client_of(server) as client, ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(client.fetch_statistics, f"home-{n}", Interval.parse("2026-03-29")) for n in range(4)]
        for _ in looks:
            assert server.asked.acquire(timeout=GENEROUS_SECONDS)
        client.stop()
        for look in looks:
            assert isinstance(look.exception(GENEROUS_SECONDS), Stopped)


def test_a_body_that_ends_early_on_the_socket_is_asked_again(serve: Any) -> None:
    answers = [raw(200, b'{"timeseries": {} cut', length=400), raw(200, b"{}")]
    server = serve(lambda path: answers.pop(0))
    with client_of(server, sleep=lambda _: None) as client:
        answer = client.fetch_system("home-1")
    assert (answer.outcome, answer.body, answer.attempts) == (None, b"{}", 2)


def test_each_thread_keeps_one_connection(serve: Any) -> None:
    server = serve(lambda path: raw(200, b"{}"))
    ready = threading.Barrier(3)

    def work(number: int) -> None:
        ready.wait(GENEROUS_SECONDS)
        for _ in range(5):
            assert client.fetch_system(f"home-{number}").outcome is None

    with client_of(server) as client:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))
        assert client.requests_made == 16
    assert server.connections == 3


def test_all_clients_are_closed_with_the_client(connect: Connect, enode: Any) -> None:
    made: list[Any] = []

    class Closable(httpx.MockTransport):
        closed = False

        def close(self) -> None:
            self.closed = True

    def transport() -> httpx.BaseTransport:
        made.append(Closable(enode.handle))
        return made[-1]

    ready = threading.Barrier(4)
    client = connect(transport=transport)

    def look(number: int) -> None:
        ready.wait(GENEROUS_SECONDS)
        client.fetch_system(f"home-{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    client.close()
    client.close()
    assert [transport.closed for transport in made] == [True] * 4
    with pytest.raises(Stopped):
        client.fetch_system("home-1")


def test_no_slot_is_held_while_a_retry_waits(connect: Connect, enode: Any, time: Any) -> None:
    """With a single slot, another system is answered in the middle of a wait."""
    inner: list[Any] = []

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        inner.append(client.fetch_system("home-2").outcome)

    enode.script = [httpx.Response(503), httpx.Response(200, content=b"{}")]
    client = connect(max_in_flight=1, sleep=sleep)
    assert client.fetch_system("home-1").outcome is None
    assert inner == [None]


def test_the_budget_counts_tokens_and_repeated_requests(connect: Connect, enode: Any, time: Any) -> None:
    enode.script = [httpx.Response(status, content=b"{}") for status in (200, 401, 503, 200)]
    sent: list[float] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(time.monotonic())
        return enode.handle(request)

    client = connect(requests_per_second=0.1, transport=lambda: httpx.MockTransport(handle))
    for _ in range(2):
        assert client.fetch_system("home-1").outcome is None
    assert (client.requests_made, len(enode.token_requests), len(enode.requests)) == (6, 2, 4)
    assert [later - earlier for earlier, later in pairwise(sent)] == [10.0] * 5


def test_loopback_is_asked_directly_whatever_proxy_is_set(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "socks5://proxy.invalid:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = serve(lambda path: raw(200, b"{}"))
    with client_of(server) as client:
        assert client.fetch_system("home-1").outcome is None


def made_for(*urls: str) -> httpx.Client:
    return Transfer(Gate(1), urls=urls, max_body_bytes=1, transport=None)._worker().client


def test_other_hosts_are_asked_through_the_companys_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")
    client = made_for("https://api.test", "https://[::1]:8443/token", "https://127.0.0.2/x")
    direct = client._transport
    assert client._transport_for_url(httpx.URL("https://api.test/hem-systems")) is not direct
    assert client._transport_for_url(httpx.URL("https://[::1]:8443/token")) is direct
    assert client._transport_for_url(httpx.URL("https://127.0.0.2/x")) is direct


@pytest.mark.parametrize("proxy", ["socks5://user:pa55word@proxy.invalid:1", "ftp://user:pa55word@proxy.invalid"])
def test_a_proxy_that_cannot_be_used_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(SettingsError, match="HTTPS_PROXY") as error:
        made_for("https://api.test")
    assert "pa55word" not in str(error.value)
    assert error.value.__suppress_context__


def test_certificate_authorities_that_cannot_be_read_are_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        made_for("https://api.test")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("api.test", False),
        ("localhost.api.test", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_nothing_secret_is_logged_by_the_http_libraries_either(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(lambda path: raw(200, b"{}"))
    with client_of(server) as client:
        client.fetch_statistics("home-1", Interval.parse("2026-03-29"))
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
    for word in ("token-1", "made-up-secret", "Bearer", "Basic", "?interval"):
        assert word not in text


def test_a_server_that_is_not_there_is_unreachable_after_all_tries() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    connection = Connection(url, f"{url}/token", "made-up-id", SecretStr("made-up-secret"), retry_seconds=0)
    with EnodeClient(connection, sleep=lambda _: None) as client:
        answer = client.fetch_system("home-1")
    assert answer.outcome is Outcome.UNREACHABLE
    assert (answer.detail or "").startswith("no token: ConnectError: ")
    assert client.requests_made == 5


def ask_the_doctor(url: str) -> None:
    settings = GivenSettings(
        ENODE_CLIENT_ID="a", ENODE_CLIENT_SECRET="b", ENODE_API_URL=url, ENODE_OAUTH_URL=f"{url}/token"
    )
    findings = examine(settings)
    assert any(status == "FAIL" for status, *_ in findings), findings


def alert(url: str) -> None:
    post_alert(url, {"text": "x"})


def ask(url: str) -> None:
    EnodeClient(Connection(url, f"{url}/token", "a", SecretStr("b")))


@pytest.mark.parametrize("path", [ask, alert, ask_the_doctor])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "nonsense://x"),
        ("SSL_CERT_FILE", "nowhere/ca.pem"),
    ],
)
def test_every_http_path_tells_a_wrong_proxy_or_authority_in_one_line(
    path: Callable[[str], None], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor reports it; the others raise the setting's error. None ends in a trace of httpx or ssl."""
    monkeypatch.setenv(name, value)
    if path is ask_the_doctor:
        ask_the_doctor("https://api.test")
        return
    with pytest.raises(SettingsError) as told:
        path("https://api.test/secret-path")
    assert name.split("_")[0] in str(told.value)
    assert "secret-path" not in str(told.value)


@pytest.mark.parametrize("date", [None, "tomorrow", "Sun, 99 Nov 2026 00:00:00 GMT", "0"])
def test_no_http_path_stumbles_over_an_odd_date(date: str | None) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={} if date is None else {"date": date}, content=TOKEN)

    post_alert("https://alert.test/secret", {"text": "x"}, httpx.MockTransport(answer))
    connection = Connection("https://api.test", "https://api.test/token", "a", SecretStr("b"))
    with EnodeClient(connection, transport=lambda: httpx.MockTransport(answer)) as client:
        assert client.fetch_system("home").http_status == 200
        assert client.seconds_ahead is None
