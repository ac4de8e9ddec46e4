"""A receiver as a process of its own."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
from pydantic import SecretStr
from waits import GENEROUS_SECONDS

from hem_etl.settings import environment_of_others
from hem_etl.webhooks.signature import signature_of

SECRET: Final = "a-secret-of-the-tests"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment(home: Path, **more: str) -> dict[str, str]:
    return environment_of_others() | {"HEM_ETL_HOME": str(home), "ENODE_WEBHOOK_SECRET": SECRET} | more


@contextlib.contextmanager
def receiver(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "hem_etl", "-vv", "webhooks", "serve", "--port", str(port)]
    with (
        (home / "receiver.log").open("ab") as log,
        subprocess.Popen(command, env=environment(home), stderr=log) as process,
    ):
        try:
            until = time.monotonic() + GENEROUS_SECONDS
            while process.poll() is None and time.monotonic() < until:
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(f"http://127.0.0.1:{port}/healthz")
                    break
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def signed(body: bytes) -> dict[str, str]:
    return {"x-enode-signature": signature_of(body, SecretStr(SECRET)), "content-type": "application/json"}
