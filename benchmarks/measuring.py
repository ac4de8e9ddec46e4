"""A process and what it used: CPU time of it and of all that it started, wall time, the most memory that one held.

Standard library only. The bench imports nothing else either and stays small: the kernel counts the memory of a parent
at the moment of a start as its child's.
"""

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SERVER: Final = "HEM_ETL_BENCH_SERVER"
"""Names the process of a database server that a measured process has work for it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run of a process used."""

    cpu_seconds: float
    """User and system, of the process and its children."""
    wall_seconds: float
    peak_mb: float
    """Resident memory of the largest process, imports and preparations included."""
    amount: float | None = None
    """How much it did, in the unit of its row."""


class TaskError(Exception):
    """A process of the bench did not end well; the text is what it wrote."""


def run(
    command: Sequence[str], environment: Mapping[str, str], *, is_refused: bool = False, is_on_one_core: bool = False
) -> Spent:
    """Run to the end. What the process tells of its work (`tell`) counts in place of its whole life.

    is_refused: it is meant to end with an error. is_on_one_core: it and what it starts have one core, as far as the
    system can say so. Raises TaskError where it ends otherwise than it is meant to.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=said,
            preexec_fn=_hold_to_one_core if is_on_one_core and hasattr(os, "sched_setaffinity") else None,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output, errors = _text(told), _text(said)
    if (process.returncode != 0) is not is_refused:
        raise TaskError(f"{' '.join(command)} ended with {process.returncode}:\n{errors or output}")
    whole = Spent(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)
    last = output.rstrip().rpartition("\n")[2]
    if not last.startswith('{"cpu_seconds"'):
        return whole
    return Spent(**{"peak_mb": whole.peak_mb, **json.loads(last)})


def tell(work: Callable[[], object], *, amount: Callable[[], float] | None = None) -> Any:
    """Do the work and print what it used, imports and preparations left out; returns what the work returns.

    amount: how much it did, asked afterwards.
    """
    started, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - started
    tell_numbers(cpu, wall, amount and amount())
    return result


def tell_numbers(cpu: float, wall: float, amount: float | None = None) -> None:
    print(json.dumps({"cpu_seconds": cpu, "wall_seconds": wall, "amount": amount}))


def cpu_seconds() -> float:
    """Of this process and its ended children, and of the server that works for it, where the environment names one."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    server = os.environ.get(SERVER)
    of_server = cpu_seconds_of_tree(int(server)) if server else 0.0
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime + of_server


def cpu_seconds_of_tree(process: int) -> float:
    """Of a process, of its children that live, and of those that it has seen end (Linux)."""
    folder = Path(f"/proc/{process}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        children = (folder / "task" / str(process) / "children").read_text().split()
    except OSError:  # it has ended meanwhile
        return 0.0
    ticks = sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds_of_tree(int(child)) for child in children)


def _hold_to_one_core() -> None:
    """The last one: whatever else begins on this machine has mostly begun on the first."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode("utf-8", "replace"))
