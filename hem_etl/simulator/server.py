"""The simulator on a real socket: uvicorn in a thread on 127.0.0.1, where faults of the transport really happen."""

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hem_etl.simulator.exchange import Effect, Request, Response
from hem_etl.simulator.serving import Simulator

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_REQUEST_BYTES = 64 * 1024
STOP_SECONDS = 5


@contextlib.contextmanager
def serve(
    simulator: Simulator, port: int = 0, *, slow_seconds: float = 2.0, latency_seconds: float = 0.0
) -> Iterator[str]:
    """Serves `simulator` until the block ends; gives the base URL. Port 0 takes a free one.

    `slow_seconds`: how long the fault `slow` keeps a client waiting. `latency_seconds`: what every answer takes longer.
    """
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    config = uvicorn.Config(
        make_app(simulator, slow_seconds, latency_seconds),
        http=_ResettableProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level=logging.CRITICAL,
        server_header=False,
        date_header=False,  # the simulator tells its own time
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="simulator", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.005)
        if not server.started:
            raise RuntimeError("the simulator's server did not start")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        log.info("simulator serves url=%s systems=%d", url, len(simulator.fleet.homes))
        yield url
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()


def make_app(
    simulator: Simulator, slow_seconds: float = 2.0, latency_seconds: float = 0.0
) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The ASGI application. A request counts as in flight from its arrival until its answer is out."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        request = await _read_request(scope, receive)
        if request is None:
            await _send(send, Response.of_json({"title": "Payload Too Large"}, 413), is_cut=False)
            return
        ticket = simulator.admit(request)
        try:
            response = await asyncio.to_thread(simulator.answer, request, ticket)
            await asyncio.sleep(slow_seconds if response.effect is Effect.SLOW else latency_seconds)
            if response.effect is Effect.RESET:
                scope["state"]["reset"]()
                await asyncio.sleep(0)  # let uvicorn learn of it before it misses an answer
            else:
                await _send(send, response, is_cut=response.effect is Effect.TRUNCATED)
        finally:
            simulator.release(ticket)

    return app


async def _read_request(scope: Message, receive: Receive) -> Request | None:
    """The request with its whole body; None where that is too long."""
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(body) > LARGEST_REQUEST_BYTES:
            return None
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
    )


async def _send(send: Send, response: Response, *, is_cut: bool) -> None:
    """Sends an answer; a cut one ends in mid-body, which makes uvicorn close the connection."""
    headers = response.headers | {"content-length": str(len(response.body))}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": pairs})
    body = response.body[: len(response.body) // 2] if is_cut else response.body
    await send({"type": "http.response.body", "body": body, "more_body": is_cut})


class _ResettableProtocol(H11Protocol):
    """Lets the application reset its connection: ASGI itself has no word for that."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        def reset() -> None:
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

        self.app_state = {**self.app_state, "reset": reset}
        super().connection_made(transport)
