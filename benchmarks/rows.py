"""The rows of the bench: what is run, on what, what it is compared with, and what limits it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PEERS_PYTHON: Final = HERE.parent / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured on."""

    systems: int = 100
    """Homes whose bodies are parsed and loaded, ours and theirs."""
    days: int = 20
    """Days of these."""
    history_systems: int = 200
    history_days: int = 92
    """The shortest history; publishing is measured at twice and four times as much too."""
    segments: int = 10_000


QUICK: Final = Sizes(systems=3, days=2, history_systems=2, history_days=35, segments=120)
FEW_SEGMENTS: Final = 100


@dataclass(frozen=True, slots=True)
class World:
    """A folder that is made once: by this task, with these numbers."""

    task: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is measured, as a process of its own."""

    name: str
    world: str
    task: tuple[str, ...]
    """Name and numbers of a task; or, for a command of ours, its words."""
    limit: str
    """What limits it, in a sentence."""
    base: str | None = None
    """The row that it is compared with, by name."""
    unit: str | None = None
    """What the process says that it did so much of, for a rate."""
    kind: str = "ours"
    """ours, peers, command (of hem-etl, whole processes), refused (one that ends with an error)."""
    most_rounds: int | None = None
    is_on_one_core: bool = False
    """Whether it may use one core alone; else all there are."""
    is_by_wall: bool = False
    """Whether its ratio is of wall time, not of CPU time."""

    def command(self, folder: Path) -> list[str]:
        if self.kind in ("command", "refused"):
            return [sys.executable, "-m", "hem_etl", *self.task]
        if self.kind == "peers":
            return [str(PEERS_PYTHON), str(HERE / "peers.py"), self.task[0], str(folder)]
        return task_command(self.task[0], folder, self.task[1:])


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that are read together."""

    title: str
    about: str
    rows: tuple[Row, ...]


def task_command(task: str, folder: Path, numbers: tuple[object, ...] = ()) -> list[str]:
    return [sys.executable, str(HERE / "tasks.py"), task, str(folder), *map(str, numbers)]


def worlds(sizes: Sizes) -> dict[str, World]:
    """By name."""
    return {
        "bodies": World("make-landing", (sizes.systems, sizes.days)),
        "many bodies": World("make-landing", (2 * sizes.systems, 3 * sizes.days)),
        "odd bodies": World("make-odd-landing", (sizes.systems, sizes.days)),
        **{
            f"history x{times}": World("make-history", (sizes.history_systems, times * sizes.history_days))
            for times in (1, 2, 4)
        },
        "history to replace": World("make-history", (sizes.history_systems, 4 * sizes.history_days)),
        "few segments": World("make-segments", (FEW_SEGMENTS,)),
        "many segments": World("make-segments", (sizes.segments,)),
        "dagster": World("make-dagster", ()),
        "large history x1": World("make-history", (1000, 365)),
        "large history x2": World("make-history", (1000, 730)),
        "month": World("make-odd-landing", (1000, 30)),
        "fleet-day": World("make-odd-landing", (10_000, 1)),
        "backfill": World("make-backfill", (sizes.history_systems, 365)),
        "loaded days": World("make-loaded", (sizes.history_systems, 30, 0)),
        "replaced days": World("make-loaded", (sizes.history_systems, 30, 10)),
    }


LOADING: Final = "landing → tables with rollups"
LOADING_MANY: Final = "… of six times as many bodies"
PUBLISHING: Final = "publish after one fleet-day"


def sections(sizes: Sizes) -> list[Section]:
    longest = min(365, 4 * sizes.history_days)
    return [
        Section(
            "From bytes to tables, and others on the same bodies",
            f"{sizes.systems} homes of all vendors, zones and resolutions, {sizes.days} days: bodies as Enode "
            "documents them, without a vendor's quirks, so that what others make of them is right without our rules. "
            "Each starts with an empty file and replaces a system's day as a whole. What takes 10 times as much has a "
            "tenth of the rate. Ours makes readings, quarter hours, sums and attributed flows of days, counts, "
            "findings, versions and a ledger; the others make one row a point. All of it on one core, but for the "
            "rows that say otherwise.",
            _loading_rows(),
        ),
        Section(
            "Cost follows change",
            f"{sizes.history_systems} homes in quarter hours with all flows, made by SQL; histories of "
            f"{sizes.history_days}, {2 * sizes.history_days} and {4 * sizes.history_days} days.",
            _change_rows(longest),
        ),
        Section(
            "Landing grows without slowing",
            f"Eighteen homes with ten days; {FEW_SEGMENTS:,} and {sizes.segments:,} segments in landing, as runs of "
            "earlier days leave them.",
            tuple(
                row
                for what, task, limit in (
                    (
                        "a run with nothing due",
                        "nothing-due",
                        "Opening the writer's file, and the names of all segments against those that are loaded.",
                    ),
                    ("a plan", "plan", "Opening the writer's file and reading the ledger."),
                    ("an explanation", "explain", "Some twenty small queries, and one segment that is opened."),
                )
                for row in (
                    Row(f"{what}, few segments", "few segments", (task,), limit),
                    Row(f"{what}, many segments", "many segments", (task,), limit, base=f"{what}, few segments"),
                )
            ),
        ),
        Section(
            "What people ask",
            f"{sizes.history_systems} homes × {4 * sizes.history_days} days.",
            _asking_rows(),
        ),
        Section(
            "Start-up",
            "Whole processes, from the shell's point of view; those that read have the published file of "
            f"{sizes.history_systems} homes × {4 * sizes.history_days} days.",
            _start_rows(),
        ),
        Section(
            "Dagster",
            "A run in process of `day_statistics` over partitions of which nothing is due, on the storage of the "
            "shipped `dagster.yaml`, less the same without Dagster. A run that Dagster launches also starts a process.",
            (
                Row(
                    "a run costs more by",
                    "dagster",
                    ("dagster-run",),
                    "Some fifty events of a run, each a transaction of SQLite, and building the execution plan.",
                ),
                Row(
                    "each further partition costs more by",
                    "dagster",
                    ("dagster-partition",),
                    "Two events a partition, written in batches.",
                ),
            ),
        ),
    ]


def large_sections(sizes: Sizes) -> list[Section]:
    """What takes long to prepare; asked for by --large."""
    publishing = "publish after one day of 1,000 homes, 365 days in the tables"
    before, after = "publish with thirty fleet-days loaded", "… each of which was replaced ten times since"
    few = 2
    return [
        Section(
            "Large fleets",
            "The fleet of the simulator with all vendors' quirks, and histories made by SQL.",
            (
                Row(
                    "1,000 homes × 30 days from landing, published",
                    "month",
                    ("landing-to-published",),
                    "As at the small size; memory is that of 500 bodies and of a transaction.",
                    unit="values",
                    most_rounds=few,
                ),
                Row(
                    "one day of 10,000 homes from landing, published",
                    "fleet-day",
                    ("landing-to-published",),
                    "As before.",
                    base="1,000 homes × 30 days from landing, published",
                    unit="values",
                    most_rounds=few,
                ),
                Row(
                    publishing,
                    "large history x1",
                    ("publish-day",),
                    "Some three hundred statements, and scans of small columns of the history; without reflink the "
                    "copy takes its time of the disk, and little of the CPU.",
                ),
                Row(
                    "the same with 730 days in the tables",
                    "large history x2",
                    ("publish-day",),
                    "As before.",
                    publishing,
                ),
                Row(
                    "a backfill of 18 homes × 30 days, a run for each home, over a year",
                    "backfill",
                    ("backfill",),
                    "Eighteen publishes.",
                    most_rounds=few,
                ),
                Row(before, "loaded days", ("publish-day",), "As above."),
                Row(
                    after,
                    "replaced days",
                    ("publish-day",),
                    "The file is written anew when a third of it is waste.",
                    before,
                ),
            ),
        )
    ]


def _loading_rows() -> tuple[Row, ...]:
    def peer(name: str, task: str, limit: str, most_rounds: int | None = None) -> Row:
        return Row(
            name,
            "bodies",
            (task,),
            limit,
            base=LOADING,
            unit="values",
            kind="peers",
            most_rounds=most_rounds,
            is_on_one_core=True,
        )

    def ours(name: str, task: str, limit: str, world: str = "bodies") -> Row:
        base = None if name == LOADING else LOADING
        return Row(name, world, (task,), limit, base=base, unit="values", is_on_one_core=True)

    def by_two(name: str, alone: str, world: str, limit: str) -> Row:
        by_wall = f"{name}by two processes, on all cores (wall ÷ wall)"
        return Row(by_wall, world, ("landing-to-tables", "2"), limit, base=alone, unit="values", is_by_wall=True)

    return (
        ours(
            LOADING,
            "landing-to-tables",
            "Two thirds of it is reading: bytes from segments, an object for each point, then sums and rules in "
            "polars; a sixth is DuckDB's compression and commit, the rest what is kept, ledger, versions and a new "
            "file's tables. Two fifths of all is Python itself: a reader that makes columns without an object for each "
            "point would save most.",
        ),
        by_two("… ", LOADING, "bodies", "At this size, starting the other process."),
        ours(
            LOADING_MANY,
            "landing-to-tables",
            "As before; a new file's tables and what is done once a transaction weigh less.",
            "many bodies",
        ),
        by_two(
            f"{LOADING_MANY}, ",
            LOADING_MANY,
            "many bodies",
            "CPU time: both cores are busy but at the beginning and the last commits; what is handed to polars' "
            "threads costs a tenth more where a process is not held to one core.",
        ),
        ours(
            "… built, checked and published",
            "landing-to-published",
            "Models, checks and the copy cost by the number of relations as long as the fleet is small.",
        ),
        ours(
            "… of bodies with all vendors' quirks",
            "landing-to-tables",
            "Bodies that are not just as documented are read by the tolerant reader, point by point.",
            "odd bodies",
        ),
        ours(
            "bodies → frames",
            "bodies-to-frames",
            "Parsing JSON into a Python object for each point; then some hundred polars calls a batch.",
        ),
        ours(
            "floor: msgspec decodes into lists",
            "floor-of-parsing",
            "A Python object for each point: what any reader in Python pays that looks at points.",
        ),
        ours(
            "floor: ready frames appended to DuckDB",
            "floor-of-writing",
            "Compression of columns and the checkpoint: what any writer to a DuckDB file pays.",
        ),
        peer(
            "DuckDB `read_json`, told the shape",
            "read-json",
            "Its JSON reader is native; the points are unnested and sorted into no order.",
        ),
        peer(
            "pandas `json_normalize` → DuckDB",
            "pandas",
            "A frame for each series: a dict for each point, then an object column for each of its fields.",
        ),
        peer(
            "dlt, Arrow tables made by its user",
            "dlt-arrow",
            "The user's own loop over points; dlt writes Parquet, loads it into a staging table and merges.",
        ),
        peer(
            "dlt, rows",
            "dlt",
            "Each row is a dict that is written, read, checked against the schema and written again, then loaded.",
            most_rounds=3,
        ),
    )


def _change_rows(longest: int) -> tuple[Row, ...]:
    everything = "all models, all checks, published"
    return (
        Row(
            PUBLISHING,
            "history x1",
            ("publish-day",),
            "Some three hundred statements, each of little; checks that no header calls local.",
        ),
        Row(
            "the same at twice the history",
            "history x2",
            ("publish-day",),
            "Checks that no header calls local run on everything.",
            base=PUBLISHING,
        ),
        Row(
            "the same at four times the history",
            "history x4",
            ("publish-day",),
            "As before: what grows with history is a scan of small columns.",
            base=PUBLISHING,
        ),
        Row(
            everything,
            "history x1",
            ("publish-all",),
            "Every row of every table made again, and each check a scan.",
            base=PUBLISHING,
        ),
        Row(
            "… at four times the history",
            "history x4",
            ("publish-all",),
            "As before.",
            base=everything,
        ),
        Row(
            "one system-day replaced",
            "history to replace",
            ("replace-days", "1"),
            "Opening the file and some forty statements; rows of one day are found by zone maps.",
        ),
        Row(
            f"one home × {longest} days replaced",
            "history to replace",
            ("replace-days", str(longest)),
            "Rows of one home lie in every row group of tables that are sorted by day: each is rewritten.",
            base="one system-day replaced",
        ),
    )


def _asking_rows() -> tuple[Row, ...]:
    return (
        Row("all tables and views built", "history x4", ("build-models",), "The tables that views are filled from."),
        Row("all checks on everything", "history x4", ("run-checks",), "Quarter hours against readings, day by day."),
        Row("every row of every mart", "history x4", ("read-marts",), "Views that join days with their ledger."),
        Row("one home's month", "history x4", ("read-month",), "Opening is most of it; zone maps find the rows."),
    )


def _start_rows() -> tuple[Row, ...]:
    def command(text: str, *words: str, kind: str = "command") -> Row:
        limits = {
            "help": "Python itself and typer; nothing else is imported.",
            "read": "Importing DuckDB and polars, then a query or some.",
        }
        is_help = words[0].startswith("--") or kind == "refused"
        return Row(text, "history x4", words, limits["help" if is_help else "read"], kind=kind)

    return (
        command("hem-etl --version", "--version"),
        command("hem-etl --help", "--help"),
        command("hem-etl run --nope", "run", "--nope", kind="refused"),
        command("hem-etl sql", "sql", "select count(*) from marts.daily_energy"),
        command("hem-etl status", "status"),
        command("hem-etl explain", "explain", "system-000001", "2025-01-20"),
    )
