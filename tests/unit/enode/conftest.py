"""A time that only moves when somebody sleeps, and an Enode that answers as each test scripts it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hem_etl.enode.client import Connection, EnodeClient

SECRET = "made-up-client-secret"
BEGINNING = datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
Scripted = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class FakeTime:
    """Clock, monotonic clock and sleep in one; `waits` are the sleeps in order."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._passed = 1_000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._passed

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._passed - 1_000.0)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.waits.append(seconds)
            self._passed += seconds

    def pass_seconds(self, seconds: float) -> None:
        with self._lock:
            self._passed += seconds


class FakeEnode:
    """Gives out tokens `token-1`, `token-2`, … and plays `script`, whose last entry repeats, to everything else."""

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.script: list[Scripted] = [httpx.Response(200, json={"timeseries": {}})]
        self.token_script: list[Scripted] = []
        self.requests: list[httpx.Request] = []
        self.token_requests: list[httpx.Request] = []
        self.expires_in: Any = 3599
        self.seconds_per_request = 0.0
        self.lock = threading.Lock()

    def transport(self) -> httpx.BaseTransport:
        return httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.time.pass_seconds(self.seconds_per_request)
        with self.lock:
            if request.url.path == "/oauth2/token":
                self.token_requests.append(request)
                if not self.token_script:
                    token = f"token-{len(self.token_requests)}"
                    return httpx.Response(200, json={"access_token": token, "expires_in": self.expires_in})
                scripted = self._next(self.token_script)
            else:
                self.requests.append(request)
                scripted = self._next(self.script)
        if isinstance(scripted, Exception):
            raise scripted
        if isinstance(scripted, httpx.Response):
            return httpx.Response(scripted.status_code, headers=scripted.headers, content=scripted.content)
        return scripted(request)

    @property
    def tokens_sent(self) -> list[str]:
        return [request.headers["Authorization"].removeprefix("Bearer ") for request in self.requests]

    @staticmethod
    def _next(script: list[Scripted]) -> Scripted:
        return script.pop(0) if len(script) > 1 else script[0]


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def enode(time: FakeTime) -> FakeEnode:
    return FakeEnode(time)


@pytest.fixture
def connect(time: FakeTime, enode: FakeEnode) -> Iterator[Callable[..., EnodeClient]]:
    """Makes clients of `enode` in fake time; fields of `Connection` and arguments of the client by name."""
    with ExitStack() as stack:

        def connect(**changes: Any) -> EnodeClient:
            fields = {"max_in_flight", "requests_per_second", "read_timeout_seconds", "retry_seconds", "client_secret"}
            connection = Connection(
                **{
                    "api_url": "https://api.test/",
                    "oauth_url": "https://oauth.test/oauth2/token",
                    "client_id": "made-up-client-id",
                    "client_secret": SecretStr(SECRET),
                    **{name: value for name, value in changes.items() if name in fields},
                }
            )
            given = {
                "transport": enode.transport,
                "clock": time.now,
                "monotonic": time.monotonic,
                "sleep": time.sleep,
                "random": lambda: 0.5,
                **{name: value for name, value in changes.items() if name not in fields},
            }
            return stack.enter_context(EnodeClient(connection, **given))

        yield connect
