"""A Postgres of the tests' own: a cluster made by `initdb` in a temporary folder, on 127.0.0.1, stopped at the end.

As a program it installs what is missing where it may, and says what to install where it may not.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PASSWORD = "s3cr:t /p@ss'w%rd"
READY = "database system is ready to accept connections"
INSTALL = "apt-get install --yes --no-install-recommends postgresql"


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class Server:
    """A cluster that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        found = binaries()
        assert found is not None, f"these tests need a Postgres server: `make test-lake`, or {INSTALL}"
        self._binaries = found
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None  # Postgres refuses to be run by root
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if self._user:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        options = ["-U", "hem", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [found / "initdb", "-D", folder / "data", *options], user=self._user, check=True, capture_output=True
        )
        self.start()

    def start(self) -> None:
        """Returns when it lets clients in."""
        listens = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._folder / "data", "-p", str(self.port), *listens],
            user=self._user,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if READY in line:
                break
        else:
            raise AssertionError("".join(said))
        self._drain = subprocess.Popen(["cat"], stdin=self._process.stderr, stdout=subprocess.DEVNULL)
        self._process.stderr.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast, in order; SIGQUIT: immediate, as when the machine loses its power."""
        self._process.send_signal(how)
        self._process.wait()
        self._drain.wait()

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://hem:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"


@contextmanager
def served() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="hem-etl-postgres-"))
    folder.chmod(0o755)
    try:
        server = Server(folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    if binaries() is not None:
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
        # its own cluster is not wanted: the tests make theirs
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(INSTALL.split(), check=True, stdout=subprocess.DEVNULL, env=environment)
        return 0 if binaries() is not None else 1
    sys.stderr.write(f"The tests of a lake on Postgres need its server. As root: {INSTALL}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
