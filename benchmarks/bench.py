"""`make bench`: everything measured in one run, interleaved; a table, JSON, and docs/performance.md.

    python benchmarks/bench.py [--quick] [--rounds 5] [--json FILE] [--page FILE] [--only TEXT]
    python benchmarks/bench.py --from FILE --page docs/performance.md    the page again, from what was measured

Each row is a process of its own, measured in CPU time; each round runs every row once, one after the other, so that
what else the machine does falls on all of them. Ratios are made within a round. No network.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

import measuring
import page
import rows
from rows import QUICK, Row, Section, Sizes, World

LIBRARIES: Final = ("hem_etl", "duckdb", "polars", "msgspec", "dagster")
PEERS_LIBRARIES: Final = ("dlt", "pandas", "pyarrow")


def main() -> None:
    given = arguments()
    found = json.loads(given.measured.read_text(encoding="utf-8")) if given.measured else measure(given)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.page:
        given.page.write_text(page.rendered(found), encoding="utf-8")
    print(page.table(found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round: only whether it works")
    parser.add_argument("--large", action="store_true", help="large fleets too: an hour more, 20 GB of disk")
    parser.add_argument("--rounds", type=int, help="5, or 1 with --quick")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    parser.add_argument("--page", type=Path, help="where to write the page")
    parser.add_argument("--only", default="", help="rows whose name or section holds this, and those they compare with")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary one, which is removed")
    parser.add_argument("--from", dest="measured", type=Path, metavar="JSON", help="measure nothing, read this")
    for size in fields(Sizes):
        parser.add_argument(f"--{size.name.replace('_', '-')}", type=int)
    return parser.parse_args()


def measure(given: argparse.Namespace) -> dict[str, Any]:
    named = {size.name: getattr(given, size.name) for size in fields(Sizes) if getattr(given, size.name)}
    sizes = replace(QUICK if given.quick else Sizes(), **named)
    rounds = given.rounds or (1 if given.quick else 5)
    sections = chosen([*rows.sections(sizes), *(rows.large_sections(sizes) if given.large else ())], given.only)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        run = Run(Path(folder), rows.worlds(sizes))
        for section in sections:
            for row in section.rows:
                run.prepare(row)
        for number in range(rounds):
            for section in sections:
                for row in section.rows:
                    if number < (row.most_rounds or rounds):
                        run.measure(row, number)
        sums = run.compared_sums(sections)
    return {
        "machine": machine(has_peers=sums),
        "sizes": asdict(sizes),
        "rounds": rounds,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "equal_sums": sums,
        "sections": [
            {
                "title": section.title,
                "about": section.about,
                "rows": [summary(row, run.spent) for row in section.rows],
            }
            for section in sections
        ],
    }


def chosen(sections: list[Section], text: str) -> list[Section]:
    """Rows whose name or section holds the text, and those that they are compared with."""
    found = []
    for section in sections:
        wanted = {row.name for row in section.rows if text in row.name or text in section.title}
        for row in reversed(section.rows):  # a row stands below the one that it is compared with
            if row.name in wanted and row.base:
                wanted.add(row.base)
        if kept := tuple(row for row in section.rows if row.name in wanted):
            found.append(replace(section, rows=kept))
    return found


class Run:
    """Folders that are measured on, and what was measured."""

    def __init__(self, folder: Path, worlds: dict[str, World]) -> None:
        self._folder = folder
        self._worlds = worlds
        self.spent: dict[str, dict[int, measuring.Spent]] = {}
        """By row, then by round."""

    def prepare(self, row: Row) -> None:
        """Make what the row is measured on, where no row before it needed the same."""
        target, world = self._place(row), self._worlds[row.world]
        if not target.exists():
            say(f"making {row.world} {' × '.join(map(str, world.numbers))}")
            measuring.run(rows.task_command(world.task, target, world.numbers), self._environment(target))

    def measure(self, row: Row, number: int) -> None:
        folder = self._place(row)
        spent = measuring.run(
            row.command(folder),
            self._environment(folder),
            is_refused=row.kind == "refused",
            is_on_one_core=row.is_on_one_core,
        )
        say(f"{number + 1}: {spent.cpu_seconds:9.3f} CPU-s {spent.peak_mb:7.0f} MB  {row.name}")
        self.spent.setdefault(row.name, {})[number] = spent

    def compared_sums(self, sections: list[Section]) -> bool:
        """Whether peers were run, whose tables then hold the same points and energy as ours. TaskError where not."""
        peers = [row for section in sections for row in section.rows if row.kind == "peers"]
        for row in peers:
            folder = self._place(row)
            measuring.run(rows.task_command("same-sums", folder, row.task), self._environment(folder))
        return bool(peers)

    def _place(self, row: Row) -> Path:
        return self._folder / row.world.replace(" ", "-")

    def _environment(self, folder: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return kept | {"HEM_ETL_HOME": str(folder), "PYTHONPATH": str(rows.HERE.parent), "HOME": str(self._folder)}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def summary(row: Row, spent: dict[str, dict[int, measuring.Spent]]) -> dict[str, Any]:
    """What is told of a row: medians and spreads of its rounds."""
    own, base = spent[row.name], spent[row.base or row.name]
    amount_of_base = next(iter(base.values())).amount
    amount = (next(iter(own.values())).amount or amount_of_base) if row.unit else None
    share = (amount / amount_of_base) if amount and amount_of_base else 1
    clock = "wall_seconds" if row.is_by_wall else "cpu_seconds"
    ratios = [getattr(own[number], clock) / getattr(base[number], clock) / share for number in own]
    cpu = spread([each.cpu_seconds for each in own.values()])
    return {
        "name": row.name,
        "compared_with": row.base,
        "ratio": spread(ratios) if row.base else None,
        "cpu_seconds": cpu,
        "wall_seconds": spread([each.wall_seconds for each in own.values()]),
        "peak_mb": max(each.peak_mb for each in own.values()),
        "unit": row.unit,
        "rate": amount / cpu["median"] if amount else None,
        "limit": row.limit,
    }


def spread(numbers: list[float]) -> dict[str, float]:
    return {"median": median(numbers), "least": min(numbers), "most": max(numbers)}


def machine(*, has_peers: bool) -> dict[str, Any]:
    """What the numbers depend on, and nothing that tells which machine it is."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES} | (versions_of_peers() if has_peers else {}),
    }


def versions_of_peers() -> dict[str, str]:
    """As they are installed in the environment of the peers."""
    code = "import sys, importlib.metadata as m; print(*(m.version(name) for name in sys.argv[1:]))"
    found = subprocess.run(
        [rows.PEERS_PYTHON, "-c", code, *PEERS_LIBRARIES], capture_output=True, text=True, check=True
    )
    return dict(zip(PEERS_LIBRARIES, found.stdout.split(), strict=True))


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
