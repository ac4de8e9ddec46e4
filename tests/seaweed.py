"""An S3 of the tests' own: SeaweedFS in a temporary folder, on 127.0.0.1, stopped at the end; and what lets it down.

As a program it installs its wheel beside Python, with those of Celery and Kubernetes; where it cannot, it says so and
these tests are left out.
"""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WHEELS = Path(__file__).parents[1] / "constraints-services.txt"
PROGRAM = Path(sys.executable).with_name("weed")
KEY_ID, SECRET = "hem-key-id", "s3cr/et+k'ey="


class Store:
    """Where it listens, and whether it does what it is asked."""

    def __init__(self, address: tuple[str, int], own: int) -> None:
        self.url = f"http://127.0.0.1:{own}"
        self.address = address
        self.is_out_of_order = False
        self.refused = 0
        self.passed = 0
        """Requests that were answered."""

    def settings(self, place: str, setting: str = "HEM_ETL_LAKE_DATA") -> dict[str, str]:
        """Of what lies in this place of it: a lake's files, or what another setting names."""
        keys = {"HEM_ETL_S3_ACCESS_KEY_ID": KEY_ID, "HEM_ETL_S3_SECRET_ACCESS_KEY": SECRET}
        return {setting: f"s3://{place}", "HEM_ETL_S3_ENDPOINT": self.url, **keys}


@contextmanager
def stored() -> Iterator[Store]:
    """All requests go through a proxy that answers 503 while the store is out of order."""
    with tempfile.TemporaryDirectory(prefix="hem-etl-s3-") as folder, _seaweed(Path(folder)) as port:
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        store = Store(("127.0.0.1", port), proxy.server_port)
        proxy.RequestHandlerClass = type("Through", (_Through,), {"store": store})
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield store
        finally:
            proxy.shutdown()
            thread.join()
            proxy.server_close()


class _Through(BaseHTTPRequestHandler):
    """Passes a request on as it is: its signature covers the host that was asked."""

    protocol_version = "HTTP/1.1"
    store: Store

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.store.is_out_of_order:
            self.store.refused += 1
            self._answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
            return
        with closing(http.client.HTTPConnection(*self.store.address)) as behind:
            behind.request(self.command, self.path, body, dict(self.headers.items()))
            answer = behind.getresponse()
            content = answer.read()
            self.store.passed += 1
            self._answer(answer.status, dict(answer.getheaders()), content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on


@contextmanager
def _seaweed(folder: Path) -> Iterator[int]:
    """The port at which it speaks S3."""
    with ExitStack() as free:
        taken = [free.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(8)]
    names = ["master", "volume", "filer", "s3"]
    ports = [f"-{name}.port{kind}={taken.pop()}" for name in names for kind in ("", ".grpc")]
    port = int(ports[-2].split("=")[1])
    keys = {"name": "hem", "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [keys]}))
    options = [
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder}",
        "-volume.max=100",  # each bucket takes seven at once
        "-master.volumeSizeLimitMB=64",
    ]
    spoken = ["-filer", "-s3", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "server", *options, *spoken, *ports], stdout=log, stderr=log, cwd=folder)
    try:
        while not _answers(process, port):
            threading.Event().wait(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    assert process.poll() is None, "SeaweedFS ended"
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/")
            return connection.getresponse().status == 403
    except OSError:
        return False


def main() -> int:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if subprocess.run([*pip, "--require-hashes", "-r", WHEELS], check=False).returncode:
        sys.stderr.write(
            "SeaweedFS and Celery are not to be had here: tests on S3 and of many machines are left out.\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
