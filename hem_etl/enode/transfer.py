"""One request and its complete answer: the only place that talks to the network.

Every calling thread owns an httpx client with one connection, because httpx's shared pool is slower than the network it
serves (measured: five times); all share one TLS context, which is slow to make. Clients live until `close`, so this is
made for a pool of workers, not for a thread per request. Nothing here reads a body or knows what a status means.
"""

import logging
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from hem_etl import __version__
from hem_etl.enode.gate import Gate, Stopped
from hem_etl.errors import SettingsError

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 30.0
MOST_READ_TIMEOUTS: Final = 3
"""A body that keeps trickling is given up after so many read timeouts in all."""
CLOSE_SECONDS: Final = 5.0
REDIRECTS: Final = frozenset({301, 302, 307, 308})
GZIP: Final = 31
"""zlib's `wbits` for a gzip header and trailer."""

TransportFactory = Callable[[], httpx.BaseTransport]


class NoAnswerError(Exception):
    """Nothing complete came back. The text has no URL query, but could repeat a header: redact it."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        """The transport's error class: all that the log gets."""
        super().__init__(f"{kind}: {text}")


class CertificateError(NoAnswerError):
    """The server's certificate is not trusted."""


@dataclass(frozen=True, slots=True)
class Received:
    """A complete answer."""

    status: int
    retry_after: str | None
    body: bytes | None
    """Decoded from gzip; None where it was longer than the cap."""
    location: str | None = None
    """Where a redirect points."""
    date: str | None = None
    """The server's clock, as it was sent."""
    age: str | None = None
    """Seconds that a cache on the way has kept the answer."""


class Transfer:
    """Sends requests within the gate's limits. Thread-safe.

    Proxies and certificate authorities come from the usual variables (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`), but
    a loopback address is always asked directly. A given `transport` is used as it is.
    """

    def __init__(
        self, gate: Gate, *, urls: tuple[str, ...], max_body_bytes: int, transport: TransportFactory | None
    ) -> None:
        self._gate = gate
        self._max_body_bytes = max_body_bytes
        self._transport = transport
        hosts = [httpx.URL(url).host for url in urls]
        self._direct = {f"all://[{h}]" if ":" in h else f"all://{h}": None for h in hosts if is_loopback(h)}
        self._is_all_local = all(map(is_loopback, hosts))
        self._tls = None if transport is not None else _tls_context()
        self._mine = threading.local()
        self._workers: list[_Worker] = []
        self._registering = threading.Lock()
        if transport is None:
            self._worker()  # settings that make no client are told now, not by a worker

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        read_timeout_seconds: float,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
    ) -> Received:
        """One request. Raises NoAnswerError where no complete answer came, Stopped once the gate is stopped."""
        with self._gate.slot():
            started = self._gate.monotonic()
            worker = self._worker()
            try:
                with worker.client.stream(
                    method,
                    url,
                    headers=headers,
                    params=params,
                    data=form,
                    json=json,
                    timeout=httpx.Timeout(
                        read_timeout_seconds, connect=CONNECT_SECONDS, write=WRITE_SECONDS, pool=CONNECT_SECONDS
                    ),
                    extensions={"trace": worker.remember_socket},
                ) as response:
                    deadline = started + MOST_READ_TIMEOUTS * read_timeout_seconds
                    body = self._read(response, deadline)
            except (httpx.HTTPError, zlib.error) as error:
                failure = _no_answer(error)
                log.debug("method=%s path=%s failed=%s", method, _path(url), failure.kind)
                if self._gate.is_stopped:
                    raise Stopped("the client was stopped") from None
                raise failure from None
            took_ms = (self._gate.monotonic() - started) * 1000
        size = "over the cap" if body is None else len(body)
        log.debug(
            "method=%s path=%s status=%d ms=%.0f bytes=%s", method, _path(url), response.status_code, took_ms, size
        )
        headers = response.headers
        kept = (headers.get(name) for name in ("location", "date", "age"))
        return Received(response.status_code, headers.get("retry-after"), body, *kept)

    def stop(self) -> None:
        """Ends the reads of all threads: a vendor's answer can take a minute, Ctrl-C must not."""
        for worker in self._registered():
            worker.shut_socket()

    def close(self) -> None:
        """Closes the clients of all threads. Call it when they are done; whoever is not gets Stopped."""
        self._gate.stop()
        self.stop()
        self._gate.wait_until_idle(CLOSE_SECONDS)
        for worker in self._registered():
            worker.client.close()

    def _read(self, response: httpx.Response, deadline: float) -> bytes | None:
        """The decoded body, complete; None where it is longer than the cap."""
        if response.is_stream_consumed:  # a transport without a stream has read and decoded it already
            body: bytes | None = response.content
            came = None if "content-encoding" in response.headers else len(response.content)
        else:
            body = self._read_stream(response, deadline)
            came = response.num_bytes_downloaded
        if body is None or len(body) > self._max_body_bytes:
            return None
        declared = response.headers.get("content-length", "")
        if came is not None and declared.isdecimal() and int(declared) != came:
            raise httpx.RemoteProtocolError(f"{came} of {declared} bytes came")
        return body

    def _read_stream(self, response: httpx.Response, deadline: float) -> bytes | None:
        """Holds never more than the cap, however well the body was compressed. Only gzip was asked for."""
        gunzip = zlib.decompressobj(GZIP) if response.headers.get("content-encoding") in ("gzip", "x-gzip") else None
        parts: list[bytes] = []
        room = self._max_body_bytes
        for sent in response.iter_raw():
            left = sent
            while left:
                part, left = left, b""
                if gunzip is not None:
                    part = gunzip.decompress(part, room + 1)
                    if gunzip.eof and gunzip.unused_data:
                        left, gunzip = gunzip.unused_data, zlib.decompressobj(GZIP)
                room -= len(part)
                if room < 0:
                    return None
                parts.append(part)
            if self._gate.monotonic() > deadline:
                raise httpx.ReadTimeout("the body did not end in time")
        if gunzip is not None and not gunzip.eof and response.num_bytes_downloaded:
            raise httpx.RemoteProtocolError("the compressed body ended early")
        return b"".join(parts)

    def _worker(self) -> "_Worker":
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            worker = self._mine.worker = _Worker(self._new_client(), self._gate)
            with self._registering:
                self._workers.append(worker)
        return worker

    def _registered(self) -> list["_Worker"]:
        with self._registering:
            return list(self._workers)

    def _new_client(self) -> httpx.Client:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"hem_etl/{__version__}"}
        if self._transport is not None:
            return httpx.Client(headers=headers, transport=self._transport(), follow_redirects=False)
        assert self._tls is not None
        try:
            return httpx.Client(
                headers=headers,
                verify=self._tls,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                trust_env=not self._is_all_local,
                mounts=self._direct,
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx.InvalidURL):
            raise SettingsError(
                "the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used: it must be an http:// or "
                "https:// URL (a SOCKS proxy needs the package `socksio`). Correct the variable and run again."
            ) from None  # the cause could show the proxy's password


class _Worker:
    """What one thread owns: its client, and its socket so that another thread can end a read."""

    def __init__(self, client: httpx.Client, gate: Gate) -> None:
        self.client = client
        self._gate = gate
        self._socket: socket.socket | None = None

    def remember_socket(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx's documented `trace` extension: called at each step of a request."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._gate.is_stopped:
                self.shut_socket()

    def shut_socket(self) -> None:
        if self._socket is not None:
            try:
                # not SSLSocket.shutdown: it takes the encryption off first, while another thread may be sending
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except (OSError, ValueError):
                log.debug("socket=already closed")


def is_loopback(host: str) -> bool:
    """Whether `host` (of an `httpx.URL`) is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def moved_by_a_slash(url: str, received: Received) -> str | None:
    """Where to ask instead: the same place with or without a slash at its end. Any other redirect is not followed: it
    would take the token elsewhere."""
    if received.status not in REDIRECTS or received.location is None:
        return None
    here = httpx.URL(url)
    try:
        there = here.join(received.location)
    except (httpx.InvalidURL, ValueError):
        return None
    is_same = there.copy_with(path=here.path, query=None, fragment=None) == here.copy_with(query=None)
    is_slash = there.path != here.path and there.path.rstrip("/") == here.path.rstrip("/")
    return str(there.copy_with(query=None, fragment=None)) if is_same and is_slash else None


def _tls_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise SettingsError(
            f"the certificate authorities that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({error.strerror}). "
            "Correct the variable and run again."
        ) from error


def _path(url: str) -> str:
    """A URL as the log may show it: no host, no query, no user."""
    return re.sub(r"/users/[^/]+", "/users/…", urlsplit(url).path)


def _no_answer(error: Exception) -> NoAnswerError:
    text = re.sub(r"\?\S*", "", str(error)) or "no answer"
    kind = CertificateError if "CERTIFICATE_VERIFY_FAILED" in text else NoAnswerError
    return kind(type(error).__name__, text)
