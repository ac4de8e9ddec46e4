"""`make bench-scale`: file and lake side by side, the pieces of a daily run, and what a run of a large fleet takes.

    python benchmarks/scale.py [--quick] [--rounds 3] [--json FILE] [--sqlite] [--folder DIR]
    python benchmarks/scale.py --from FILE      the tables again, from what was measured

Rows are measured as `make bench` does it. The lake's catalogue is a Postgres that is started for it and whose CPU time
counts (--sqlite: a file instead), its data lie in a local folder. What many homes take is computed by `daily`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))  # whose Postgres it is

import bench  # noqa: E402
import daily  # noqa: E402
import measuring  # noqa: E402
import page  # noqa: E402
from postgres import Server, served  # noqa: E402
from rows import Row, Section, World  # noqa: E402

ENGINES: Final = ("file", "lake")
HOMES: Final = (1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured on."""

    systems: int = 100
    """Of the landed bodies, and their days."""
    days: int = 10
    history_systems: int = 100
    history_days: int = 92
    """The shorter history; the longer one is four times as long."""
    commits: tuple[int, ...] = (1, 250, 500, 2_000)
    """System-days of a transaction; the last is the number of homes of that history, too."""
    fleet: int = 20_000
    """Homes of the fleet that a transaction of `commits[-2]` is measured on as well."""
    spread_systems: int = 46
    spread_days: int = 365
    files: tuple[int, ...] = (100, 10_000, 100_000)
    """Of the same history."""
    segments: int = 100


QUICK: Final = Sizes(3, 2, 2, 35, (1, 2, 3), 10, 1, 92, (14, 70), 20)


def main() -> None:
    given = arguments()
    found = json.loads(given.measured.read_text(encoding="utf-8")) if given.measured else measure(given)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if found["rows"].keys() >= {row.name for section in sections(_sizes(found)) for row in section.rows}:
        print("\n\n".join(tables(found)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round: only whether it works")
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick; what takes long is measured once")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    parser.add_argument(
        "--only", default="", help="sections whose title holds this; what the file holds of others stays"
    )
    parser.add_argument("--sqlite", action="store_true", help="the catalogue in a SQLite file: without Postgres")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary one, which is removed")
    parser.add_argument("--from", dest="measured", type=Path, metavar="JSON", help="measure nothing, read this")
    return parser.parse_args()


def measure(given: argparse.Namespace) -> dict[str, Any]:
    sizes = QUICK if given.quick else Sizes()
    rounds = given.rounds or (1 if given.quick else 3)
    chosen = [section for section in sections(sizes) if given.only in section.title]
    has_others = given.only and given.json and given.json.exists()
    before = json.loads(given.json.read_text(encoding="utf-8")) if has_others else {}
    found: dict[str, Any] = {
        "machine": bench.machine(has_peers=False),
        "catalogue": "SQLite" if given.sqlite else "Postgres",
        "sizes": json.loads(json.dumps(asdict(sizes))),
    }
    assert all(before.get(name, value) == value for name, value in found.items()), "measured elsewhere, or otherwise"
    found |= {"rounds": before.get("rounds", {}), "rows": before.get("rows", {})}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, nullcontext() if given.sqlite else served() as server:
        run = Run(Path(folder), worlds(sizes), server)
        for section in chosen:
            for row in section.rows:
                run.prepare(row)
            for number in range(rounds):
                for row in section.rows:
                    if number < (row.most_rounds or rounds):
                        run.measure(row, number)
            found["rounds"][section.title] = rounds
            for row in section.rows:
                found["rows"][row.name] = bench.summary(row, run.spent) | {"amount": run.spent[row.name][0].amount}
    return found


class Run(bench.Run):
    """Folders of both engines: a world whose name begins with `lake` has its tables in one."""

    def __init__(self, folder: Path, worlds: dict[str, World], server: Server | None) -> None:
        super().__init__(folder, worlds)
        self._server = server

    def _environment(self, folder: Path) -> dict[str, str]:
        environment = super()._environment(folder)
        if not folder.name.startswith("lake"):
            return environment
        catalogue = str(folder.with_suffix(".sqlite"))
        if self._server is not None:
            catalogue = self._database(folder.name.replace("-", "_"))
            environment[measuring.SERVER] = str(self._server.pid)
        return environment | {
            "HEM_ETL_WAREHOUSE": "lake",
            "HEM_ETL_LAKE_CATALOG": catalogue,
            "HEM_ETL_LAKE_DATA": str(folder.with_suffix(".data")),
        }

    def _database(self, name: str) -> str:
        import psycopg

        assert self._server is not None
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchall():
                connection.execute(f"create database {name}".encode())
        return self._server.url(name)


def worlds(sizes: Sizes) -> dict[str, World]:
    """By name."""
    of_an_engine = {
        "landing": World("make-landing", (sizes.systems, sizes.days)),
        "landing x4": World("make-landing", (sizes.systems, 4 * sizes.days)),
        "history x1": World("make-history", (sizes.history_systems, sizes.history_days)),
        "history x4": World("make-history", (sizes.history_systems, 4 * sizes.history_days)),
        "segments": World("make-segments", (sizes.segments,)),
        "commits": World("make-history", (sizes.commits[-1], 5)),
        "fleet": World("make-history", (sizes.fleet, 1)),
    }
    found = {f"{engine} {name}": world for engine in ENGINES for name, world in of_an_engine.items()}
    numbers = sizes.spread_systems, sizes.spread_days
    return found | {f"lake {files} files": World("make-files", (*numbers, files)) for files in sizes.files}


def sections(sizes: Sizes) -> list[Section]:
    return [
        Section("File and lake", "", tuple(_side_by_side(sizes))),
        Section("Transactions", "", tuple(_transactions(sizes))),
        Section("Bytes", "", tuple(_bytes_of())),
        *(Section(f"{files:,} files", "", tuple(_files(sizes, files))) for files in sizes.files),
    ]


def _both(name: str, world: str, *task: str, unit: str | None = None, most_rounds: int | None = None) -> Iterator[Row]:
    file, lake = (f"{engine}: {name}" for engine in ENGINES)
    yield Row(file, f"file {world}", task, "", unit=unit, most_rounds=most_rounds)
    yield Row(lake, f"lake {world}", task, "", base=file, most_rounds=most_rounds)


BUILT: Final = "all models built"
CHECKED: Final = "all checks on everything"
PUBLISHED: Final = "all models, all checks, published"
LONGER: Final = f"{PUBLISHED}, four times the history"
PUBLISHED_DAY: Final = "published after one fleet-day"


def _side_by_side(sizes: Sizes) -> Iterator[Row]:
    yield from _both("load", "landing", "landing-to-tables")
    yield from _both(BUILT, "history x1", "build-models")
    yield from _both(CHECKED, "history x1", "run-checks")
    yield from _both(PUBLISHED_DAY, "history x1", "publish-day")
    yield from _both(PUBLISHED, "history x1", "publish-all")
    yield from _both(LONGER, "history x4", "publish-all")
    yield from _both("one home's month", "history x4", "read-month")
    yield from _both("a run with nothing due", "segments", "nothing-due")
    yield Row("prepare", "file landing", ("bodies-to-frames",), "")


LANDINGS: Final = {"bytes": "landing", "bytes, four times the days": "landing x4"}


def _bytes_of() -> Iterator[Row]:
    for engine in ENGINES:
        for name, world in LANDINGS.items():
            yield Row(f"{engine}: {name}", f"{engine} {world}", ("bytes-of-tables",), "", most_rounds=1)
    yield Row("bytes of landing", "file landing", ("bytes-of-landing",), "", most_rounds=1)


def _commit(days: int) -> str:
    return f"new system-days: {days:,}"


def _transactions(sizes: Sizes) -> Iterator[Row]:
    middle = sizes.commits[-2]
    yield from _both("an opening", "commits", "open-writer")
    yield from _both("a load of nothing", "commits", "load-nothing")
    for days in sizes.commits:
        yield from _both(_commit(days), "commits", "commit-days", str(days))
    yield from _both(
        f"looks that bring nothing new: {sizes.commits[-1]:,}", "commits", "look-again", str(sizes.commits[-1])
    )
    yield from _both(f"replaced system-days: {middle:,}", "commits", "commit-again", str(middle))
    yield from _both(f"{_commit(middle)}, in a fleet of {sizes.fleet:,}", "fleet", "commit-days", str(middle))


def _files(sizes: Sizes, files: int) -> Iterator[Row]:
    what = {
        "attach": ("open-reader",),
        "one home's month": ("read-month",),
        "commit": ("commit-days", str(sizes.spread_systems)),
        "publish": ("publish-day",),
    }
    for name, task in what.items():
        yield Row(f"{files}: {name}", f"lake {files} files", task, "", most_rounds=2 if files < 20_000 else 1)


def pieces(found: Mapping[str, Any], engine: str) -> daily.Pieces:
    """What was measured of an engine, as the arithmetic wants it."""
    sizes = _sizes(found)
    fewest, *_, middle, most = sizes.commits
    system_days = sizes.systems * sizes.days
    history = sizes.history_systems * sizes.history_days

    measured: Mapping[str, Any] = found["rows"]

    def cpu(name: str) -> float:
        return float(measured[name]["cpu_seconds"]["median"])

    def amount(name: str) -> float:
        return float(measured[name]["amount"])

    def of(name: str) -> float:
        return cpu(f"{engine}: {name}")

    commit_new = (of(_commit(most)) - of(_commit(fewest))) / (most - fewest)
    of_middle = of(_commit(middle))
    publish_per_day = (of(LONGER) - of(PUBLISHED)) / (3 * history)
    of_shorter, of_longer = (amount(f"{engine}: {name}") for name in LANDINGS)
    return daily.Pieces(
        prepare_day=cpu("prepare") / system_days,
        load_of_nothing=of("a load of nothing"),
        transaction=of(_commit(fewest)) - of("an opening") - fewest * commit_new,
        commit_new=commit_new,
        commit_again=commit_new + (of(f"replaced system-days: {middle:,}") - of_middle) / middle,
        look_again=(of(f"looks that bring nothing new: {most:,}") - of("an opening")) / most,
        transaction_per_home=max(
            0.0, (of(f"{_commit(middle)}, in a fleet of {sizes.fleet:,}") - of_middle) / (sizes.fleet - most)
        ),
        publish=of(PUBLISHED) - history * publish_per_day,
        publish_per_day=publish_per_day,
        table_bytes=(of_longer - of_shorter) / (3 * system_days),
        landed_bytes=amount("bytes of landing") / system_days,
        is_copied=engine == "file",
    )


def tables(found: Mapping[str, Any]) -> Iterator[str]:
    """As docs/scale.md has them."""
    measured = found["rows"]
    compared = [row for section in sections(_sizes(found))[:2] for row in section.rows if row.base]
    yield _table(
        ["CPU time", "file", "lake", "lake ÷ file"],
        [
            [
                row.name.removeprefix("lake: "),
                _cpu(measured[row.base]),
                _cpu(measured[row.name]),
                page.told_ratio(measured[row.name]["ratio"]),
            ]
            for row in compared
        ],
    )
    files = found["sizes"]["files"]
    yield _table(
        ["CPU time", *(f"{number:,} files" for number in files)],
        [
            [what, *(_cpu(measured[f"{number}: {what}"]) for number in files)]
            for what in ("attach", "one home's month", "commit", "publish")
        ],
    )
    of_engines = {engine: pieces(found, engine) for engine in ENGINES}
    yield _table(
        ["piece", *ENGINES],
        [
            [said, *(form(getattr(each, name)) for each in of_engines.values())]
            for name, said, form in (
                ("prepare_day", "prepare a system-day", page.told_seconds),
                ("load_of_nothing", "a load that finds nothing", page.told_seconds),
                ("transaction", "a transaction", page.told_seconds),
                ("transaction_per_home", "… for each home of the fleet more", page.told_seconds),
                ("commit_new", "… for each new system-day more", page.told_seconds),
                ("commit_again", "… for each replaced system-day more", page.told_seconds),
                ("look_again", "… for each look that brings nothing new", page.told_seconds),
                ("publish", "a whole publish", page.told_seconds),
                ("publish_per_day", "… for each system-day in the tables more", page.told_seconds),
                ("table_bytes", "a system-day in the tables", _bytes),
                ("landed_bytes", "an answer in landing", _bytes),
            )
        ],
    )
    days = [(engine, daily.day_of(homes, of_engines[engine])) for homes in HOMES for engine in ENGINES]
    yield _table(
        ["", *(f"{day.homes:,}, {engine}" for engine, day in days)],
        [
            [said, *(form(getattr(day, name)) for _, day in days)]
            for name, said, form in (
                ("requests", "requests", _count),
                ("requests_per_second", "… in a second", lambda number: f"{number:.1f}"),
                ("in_flight", "… in flight", _count),
                ("places", "places that ask", _count),
                ("prepare_seconds", "preparing", _long),
                ("runs", "runs that load", _count),
                ("transactions", "transactions", _count),
                ("commit_seconds", "committing", _long),
                ("publish_seconds", "publish, after a year", _long),
                ("copy_seconds", "… and its copy", _long),
                ("locked_seconds", "**under the lock**", _long),
                ("landed_bytes_of_a_year", "landing, a year", _bytes),
                ("table_bytes_of_a_year", "tables, a year", _bytes),
            )
        ],
    )


def _sizes(found: Mapping[str, Any]) -> Sizes:
    given = found["sizes"]
    return Sizes(**given | {name: tuple(given[name]) for name in ("commits", "files")})


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *rows))


def _cpu(row: Mapping[str, Any]) -> str:
    return page.told_seconds(row["cpu_seconds"]["median"])


def _long(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _bytes(size: float) -> str:
    for unit, share in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= share:
            return f"{size / share:.3g} {unit}"
    return f"{size:.0f} B"


def _count(number: float) -> str:
    return f"{number:,.0f}"


if __name__ == "__main__":
    main()
