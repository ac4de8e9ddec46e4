"""The worker processes of one load: shards are handed to whichever is idle, frames wait in a folder of their own.

They are started anew (never forked: polars' threads do not survive that), as plain child processes and not by
`multiprocessing`, so that it does not matter what the main module is, nor whether this process may have children by
its rules. Each has a thread here that waits for it.
"""

import os
import pickle
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from hem_etl.errors import LandingError, WorkerError, disk_trouble
from hem_etl.landing import Landing
from hem_etl.preparing.prepare import PreparedDays
from hem_etl.preparing.shards import Failure, Shard, read_prepared
from hem_etl.settings import environment_of_others

STALE_SECONDS: Final = 86_400
"""A folder in which nothing happened for so long is left from processes that were all killed at once."""


class Crew(Protocol):
    """Who prepares shards: worker processes, or in tests somebody else."""

    def submit(self, shard: Shard) -> Future[None]:
        """Have the shard prepared some time. The future raises LandingError or WorkerError."""

    def take(self, shard: Shard) -> PreparedDays:
        """What came of a shard whose future is done well; once."""

    def close(self) -> None:
        """End all work; nothing of it is left, on disk or running."""


class WorkerProcesses:
    """A Crew of child processes."""

    def __init__(self, size: int, landing: Landing, parent: Path) -> None:
        """parent: where the folder with the frames is made. WorkerError where that or a process is refused."""
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._landing = landing
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="worker")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _remove_stale(parent)
            self.folder = Path(tempfile.mkdtemp(dir=parent))
        except OSError as error:
            raise WorkerError(f"has no folder in {parent} ({disk_trouble(error, 'HEM_ETL_HOME')})") from error
        try:
            for _ in range(size):
                self._processes.append(_started(landing, self.folder))
                self._idle.put(self._processes[-1])
        except OSError as error:
            self.close()
            raise WorkerError(f"cannot be started ({error.strerror})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, shard: Shard) -> Future[None]:
        return self._threads.submit(self._ask, shard)

    def take(self, shard: Shard) -> PreparedDays:
        return read_prepared(self.folder, shard.number, shard.judging)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            assert process.stdin is not None
            with process, suppress(OSError):  # waits for it, and closes its pipes; what was not sent is of no use
                process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # another load's folder is in it
            self.folder.parent.rmdir()

    def _ask(self, shard: Shard) -> None:
        self._landing.bring({look.body_sha256 for look in shard.looks})
        process = self._idle.get()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(shard, process.stdin)
            process.stdin.flush()
            answer: Failure | None = pickle.load(process.stdout)  # noqa: S301 - our own child's
        except (EOFError, OSError, pickle.UnpicklingError):
            raise WorkerError(_end_of(process)) from None
        finally:
            self._idle.put(process)
        if answer is not None:
            raise LandingError(answer.why) if answer.is_of_landing else WorkerError(f"failed ({answer.why})")


def _started(landing: Landing, folder: Path) -> subprocess.Popen[bytes]:
    """A worker with the modules that this process has, one thread of polars, and nothing of our settings."""
    environment = environment_of_others()
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    environment["POLARS_MAX_THREADS"] = "1"
    return subprocess.Popen(  # noqa: S603 - our own module, by the interpreter that runs this one
        [sys.executable, "-P", "-m", "hem_etl.preparing.worker", str(landing.folder), str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is for this process, which ends its workers
    )


def _end_of(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    if code >= 0:
        return f"ended with code {code}; what it said stands above"
    return f"was killed (signal {-code}), as a machine does that runs out of memory"


def _remove_stale(parent: Path) -> None:
    for folder in parent.iterdir():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
