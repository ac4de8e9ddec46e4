"""The simulator in process: an httpx transport. Nothing waits: a slow answer is a read timeout at once."""

from collections.abc import Callable, Iterator

import httpx

from hem_etl.simulator.exchange import Effect, Response


class SimulatorTransport(httpx.BaseTransport):
    """Passes requests to `handle` (of `Simulator`) and plays the transport's part of a fault."""

    def __init__(self, handle: Callable[[str, str, str, list[tuple[str, str]], bytes], Response]) -> None:
        self._handle = handle

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        response = self._handle(request.method, path, query, request.headers.multi_items(), request.read())
        if response.effect is Effect.RESET:
            raise httpx.ReadError("connection reset by peer", request=request)
        if response.effect is Effect.SLOW:
            raise httpx.ReadTimeout("the simulated answer is too slow", request=request)
        headers = response.headers | {"content-length": str(len(response.body))}
        if response.effect is Effect.TRUNCATED:
            stream = TruncatedStream(response.body[: len(response.body) // 2])
            return httpx.Response(response.status, headers=headers, stream=stream, request=request)
        return httpx.Response(response.status, headers=headers, content=response.body, request=request)


class TruncatedStream(httpx.SyncByteStream):
    """A body whose connection closes too early, as httpx tells it."""

    def __init__(self, part: bytes) -> None:
        self._part = part

    def __iter__(self) -> Iterator[bytes]:
        yield self._part
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
