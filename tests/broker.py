"""A redis of the tests' own, on 127.0.0.1, that keeps nothing and can be killed; stopped at the end.

As a program it installs what is missing where it may, and says what to install where it may not.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAM = "redis-server"
INSTALL = f"apt-get install --yes --no-install-recommends {PROGRAM}"
READY = "Ready to accept connections"


class Broker:
    """It can be killed and started again, empty."""

    def __init__(self, folder: Path) -> None:
        assert shutil.which(PROGRAM), f"these tests need redis: `make test-lake`, or {INSTALL}"
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Returns when it lets clients in."""
        options = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if READY in line:
                break
        else:
            raise AssertionError("".join(said))
        self._drain = subprocess.Popen(["cat"], stdin=self._process.stdout, stdout=subprocess.DEVNULL)
        self._process.stdout.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._drain.wait()


@contextmanager
def broking() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory(prefix="hem-etl-redis-") as folder:
        broker = Broker(Path(folder))
        try:
            yield broker
        finally:
            broker.kill()


def main() -> int:
    if shutil.which(PROGRAM):
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
            # run level 1: the package's own server is not started
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
            subprocess.run(INSTALL.split(), check=True, stdout=subprocess.DEVNULL, env=environment)
            return 0
    sys.stderr.write(f"The tests of Celery need redis. As root: {INSTALL}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
