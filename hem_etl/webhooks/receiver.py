"""The receiver: a small web application that verifies a delivery, keeps its bytes and answers. It parses nothing.

| the delivery | answer |
|---|---|
| is not signed with our secret | 401 |
| is longer than 1 MB | 413, while it is read |
| does not come to its end in time | 408 |
| cannot be kept: the disk refuses, or too much waits or comes at once | 503: Enode tries again, for 24 hours |
| anything else, readable or not | 204, once its bytes are on disk |

Enode stops sending to a receiver that goes on refusing, so whatever is rightly signed is kept.
"""

import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from hem_etl.errors import UsageError
from hem_etl.settings import Settings
from hem_etl.webhooks.inbox import Delivery, FullError, Inbox, InboxWriter, open_inbox
from hem_etl.webhooks.signature import is_signed, signing_secrets

LOG = logging.getLogger(__name__)

MOST_BODY_BYTES: Final = 1_000_000
READ_SECONDS: Final = 4.0
"""Enode gives up after five."""
MOST_HEADER_BYTES: Final = 32 * 1024
MOST_READING_BYTES: Final = 64_000_000
"""More than this is not held in memory of bodies that are still coming: nobody knows yet who sends them."""
DRAIN_SECONDS: Final = 10
KEPT_HEADERS: Final = ("content-type", "content-encoding", "user-agent")
MOST_HEADER_TEXT: Final = 200


class Receiver:
    """What the application does with a request, and what it counts."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._secrets = signing_secrets(settings)
        self._clock = clock
        self.inbox: Inbox = open_inbox(settings)
        self.writer = InboxWriter(self.inbox.folder)
        self.answers: Counter[int] = Counter()
        self.odd_types = 0
        self.kept_bytes = 0
        self.reading_bytes = 0
        self.seconds = 0.0
        self.newest: datetime | None = None

    async def receive(self, request: Request) -> Response:
        """One delivery."""
        started = time.monotonic()
        status = await self._receive(request)
        self.answers[status] += 1
        self.seconds += time.monotonic() - started
        headers = {"connection": "close"} if status in (408, 413, 503) else None
        return Response(status_code=status, headers=headers)

    async def _receive(self, request: Request) -> int:
        body = bytearray()
        try:
            async with asyncio.timeout(READ_SECONDS):
                is_whole = await self._read(request, body)
        except TimeoutError:
            return _refused(408, "it did not come to its end")
        except ClientDisconnect:
            return _refused(400, "the sender left")
        except FullError:
            return _refused(503, "too much comes at once")
        finally:
            self.reading_bytes -= len(body)
        if not is_whole:
            return _refused(413, "it is too long")
        return await self._keep(request, bytes(body))

    async def _read(self, request: Request, body: bytearray) -> bool:
        """Fill the body; False as soon as it is too long. FullError: too much is being read of all senders."""
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal() and len(length) < 10) or int(length) > MOST_BODY_BYTES:
            return False
        async for piece in request.stream():
            body += piece
            self.reading_bytes += len(piece)
            if len(body) > MOST_BODY_BYTES:
                return False
            if self.reading_bytes > MOST_READING_BYTES:
                raise FullError
        return True

    async def _keep(self, request: Request, body: bytes) -> int:
        signatures = request.headers.getlist("x-enode-signature")
        if len(signatures) != 1 or not is_signed(body, signatures[0], self._secrets):
            return _refused(401, "its signature is missing or wrong")
        headers = {name: request.headers[name][:MOST_HEADER_TEXT] for name in KEPT_HEADERS if name in request.headers}
        is_odd = headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json"
        self.odd_types += is_odd or "content-encoding" in headers
        delivery_id = request.headers.get("x-enode-delivery", "")[:MOST_HEADER_TEXT] or None
        delivery = Delivery(body, self._clock(), delivery_id, headers)
        try:
            await asyncio.wrap_future(self.writer.keep(delivery))
        except (FullError, OSError) as error:
            LOG.error("delivery handed back id=%r bytes=%d: %r", delivery_id, len(body), error)
            return 503
        self.kept_bytes += len(body)
        self.newest = delivery.received_at
        LOG.info("delivery kept id=%r bytes=%d", delivery_id, len(body))
        return 204

    async def tell_health(self, _: Request) -> Response:
        """The process lives."""
        return PlainTextResponse("ok\n")

    async def tell_readiness(self, _: Request) -> Response:
        """Whether a delivery could be kept, the newest one's instant, what waits for a run."""
        try:
            await asyncio.to_thread(self._try_disk)
        except OSError as error:
            return JSONResponse({"is_writable": False, "why": error.strerror}, 503)
        backlog = await asyncio.to_thread(self.inbox.backlog_bytes)
        newest = None if self.newest is None else self.newest.isoformat()
        return JSONResponse({"is_writable": True, "newest_received_at": newest, "backlog_bytes": backlog})

    def _try_disk(self) -> None:
        with tempfile.TemporaryFile(dir=self.inbox.folder) as file:
            file.write(b"hem_etl")
            file.flush()

    async def tell_metrics(self, _: Request) -> Response:
        """Prometheus' text format."""
        backlog = await asyncio.to_thread(self.inbox.backlog_bytes)
        lines = [
            "# TYPE hem_etl_webhook_deliveries_total counter",
            *(f'hem_etl_webhook_deliveries_total{{status="{s}"}} {n}' for s, n in sorted(self.answers.items())),
            *_metric("hem_etl_webhook_kept_bytes_total", "counter", self.kept_bytes),
            *_metric("hem_etl_webhook_odd_content_types_total", "counter", self.odd_types),
            *_metric("hem_etl_webhook_fsyncs_total", "counter", self.writer.syncs),
            *_metric("hem_etl_webhook_answer_seconds_sum", "counter", round(self.seconds, 6)),
            *_metric("hem_etl_webhook_answer_seconds_count", "counter", self.answers.total()),
            *_metric("hem_etl_webhook_waiting_bytes", "gauge", self.writer.waiting_bytes),
            *_metric("hem_etl_webhook_inbox_backlog_bytes", "gauge", backlog),
        ]
        if self.newest is not None:
            lines += _metric("hem_etl_webhook_newest_received_timestamp_seconds", "gauge", self.newest.timestamp())
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def make_app(receiver: Receiver, prefix: str = "") -> Starlette:
    """The application; the receiver's inbox is open while it runs."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with receiver.writer:
            yield

    routes = [
        Route(f"{prefix}/", receiver.receive, methods=["POST"]),
        Route(f"{prefix}/healthz", receiver.tell_health),
        Route(f"{prefix}/readyz", receiver.tell_readiness),
        Route(f"{prefix}/metrics", receiver.tell_metrics),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def answer_here(settings: Settings, headers: Mapping[str, str], body: bytes) -> int:
    """The status that the receiver of these settings answers one delivery with, without a socket: for a demo."""

    async def answer() -> int:
        settings.inbox.mkdir(parents=True, exist_ok=True)
        app = make_app(Receiver(settings))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver")
        async with app.router.lifespan_context(app), client:
            return (await client.post("/", content=body, headers=dict(headers))).status_code

    return asyncio.run(answer())


def serve(settings: Settings, host: str, port: int) -> None:
    """Receive until SIGTERM or Ctrl-C; what has begun by then is kept and answered.

    Raises SettingsError without a secret, UsageError where the address cannot be had.
    """
    receiver = Receiver(settings)
    config = uvicorn.Config(
        make_app(receiver, settings.webhook_path),
        host=host,
        port=port,
        http=ImpatientProtocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit as end:  # uvicorn's way to say that it could not bind, or that the lifespan failed
        raise UsageError(
            f"the receiver could not start on {host}:{port} (the lines above say why): free the port or name another "
            "with --port."
        ) from end


class ImpatientProtocol(H11Protocol):
    """Closes a connection whose request does not come: one that dribbles headers would stay for ever."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if self._is_idle():
            self._wait_for_request()
        super().data_received(data)
        if not self._is_idle():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_request(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(READ_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self._is_idle() and not self.transport.is_closing():
            self.transport.abort()


def _refused(status: int, why: str) -> int:
    LOG.warning("delivery refused status=%d: %s", status, why)
    return status


def _metric(name: str, kind: str, value: float) -> list[str]:
    return [f"# TYPE {name} {kind}", f"{name} {value}"]
