"""The house keeps its shape: imports go one way, stations do not know each other, schemas are the tables' columns."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import polars as pl
import pytest

from hem_etl import normalise
from hem_etl.pipeline import corrections, fleet, ledger
from hem_etl.warehouse.models import build, create_tables, load_models

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hem_etl"

FLOORS = {
    "words": {"vocabulary", "local_day", "errors", "answer", "matching", "disk"},
    "edges": {"settings", "enode.wire"},
    "locks": {"locks"},
    "stations": {"enode", "simulator", "landing", "normalise", "warehouse", "webhooks"},
    "preparing": {"preparing"},
    "road": {"pipeline"},
    "facts": {"facts"},
    "pages": {"report"},
    "doors": {"cli", "orchestration"},
}
ORDER = list(FLOORS)


def room_of(module: str) -> str:
    """`hem_etl.enode.client` → `enode`; the wire is a room of its own."""
    name = module.removeprefix("hem_etl.")
    return "enode.wire" if name.startswith("enode.wire") else name.split(".")[0]


def floor_of(room: str) -> int:
    return next(number for number, floor in enumerate(ORDER) if room in FLOORS[floor])


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found.append((".".join(parts).removesuffix(".__init__"), path))
    return found


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "hem_etl")
    return names


@pytest.mark.parametrize(("module", "path"), modules())
def test_imports_go_from_doors_to_words_and_stations_never_import_each_other(module: str, path: Path) -> None:
    if module in ("hem_etl", "hem_etl.__main__"):
        return
    room = room_of(module)
    for name in imports_of(path):
        if not name.startswith("hem_etl.") or name == "hem_etl.__version__" or room_of(name) == room:
            continue
        other = room_of(name)
        is_word = floor_of(other) == floor_of(room) == 0
        assert floor_of(other) < floor_of(room) or is_word, f"{module} imports {name}"


HEAVY = {"dagster", "duckdb", "httpx", "polars", "pydantic", "pydantic_settings", "sqlglot", "uvicorn"}
"""Libraries whose import takes long."""


def imports_at_once(path: Path) -> set[str]:
    """What runs when the file is imported: not what stands in functions, nor what only types need."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    names: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update({str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names})
        is_later = isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node))
        waiting.extend(() if is_later else ast.iter_child_nodes(node))
    return names


def imported_with(*modules_asked: str) -> set[str]:
    """Our modules, and other libraries by their first name, that come with these modules."""
    ours = dict(modules())
    waiting, found = list(modules_asked), set[str]()
    while waiting:
        name = waiting.pop()
        parents = {".".join(name.split(".")[:size]) for size in range(1, name.count(".") + 2)}
        for module in (parents & ours.keys()) - found:
            found.add(module)
            waiting.extend(imports_at_once(ours[module]))
        if not name.startswith("hem_etl"):
            found.add(name.split(".")[0])
    return found


@pytest.mark.parametrize(
    ("modules_asked", "left_out"),
    [
        (["hem_etl.cli.app"], HEAVY | {"hem_etl.simulator", "hem_etl.pipeline", "hem_etl.facts", "hem_etl.warehouse"}),
        (["hem_etl.facts"], {"dagster", "httpx", "sqlglot", "uvicorn", "hem_etl.simulator", "hem_etl.pipeline"}),
        (
            ["hem_etl.preparing.worker"],
            {"dagster", "duckdb", "httpx", "sqlglot", "hem_etl.pipeline", "hem_etl.warehouse"},
        ),
        (["hem_etl.pipeline"], {"dagster", "sqlglot", "uvicorn", "hem_etl.simulator"}),
    ],
)
def test_a_command_imports_what_it_uses(modules_asked: list[str], left_out: set[str]) -> None:
    """`--help` needs no more than the app, status and sql no more than facts: nobody waits for what is not used."""
    assert not imported_with(*modules_asked) & left_out


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from hem_etl.cli.app import run_app; assert run_app(['--help']) == 0; "
        f"print(*({HEAVY!r} & sys.modules.keys()), file=sys.stderr, end='')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_the_orchestration_imports_dagster() -> None:
    for module, path in modules():
        if not module.startswith("hem_etl.orchestration"):
            assert not any(name.split(".")[0] == "dagster" for name in imports_of(path)), module
    script = "import sys, hem_etl.pipeline, hem_etl.cli; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_preparing_knows_no_table_no_lock_and_no_landing() -> None:
    known = imports_of(PACKAGE / "preparing" / "prepare.py")
    assert {name.split(".")[1] for name in known if name.startswith("hem_etl.")} <= {
        *("normalise", "settings", "vocabulary")
    }


OWNERS = {
    "duckdb": ("hem_etl.warehouse",),
    "psycopg": ("hem_etl.locks.postgres", "hem_etl.warehouse.catalogue"),
    "obstore": ("hem_etl.landing.bucket",),
    "fcntl": ("hem_etl.locks", "hem_etl.disk"),
    "sqlglot": ("hem_etl.warehouse",),
    "rich": ("hem_etl.cli",),
    "typer": ("hem_etl.cli",),
    "starlette": ("hem_etl.webhooks",),
    "uvicorn": ("hem_etl.simulator", "hem_etl.webhooks"),
}
"""Who alone knows a library."""
PLACES = {
    "database": ("hem_etl.settings", "hem_etl.warehouse"),
    "work": ("hem_etl.settings", "hem_etl.warehouse", "hem_etl.locks"),
    "landing": ("hem_etl.settings", "hem_etl.landing"),
    "outbox": ("hem_etl.settings", "hem_etl.landing"),
    "inbox": ("hem_etl.settings", "hem_etl.webhooks"),
}
"""Who alone knows a path of the settings."""


@pytest.mark.parametrize(("module", "path"), modules())
def test_what_one_room_knows_no_other_does(module: str, path: Path) -> None:
    for name in imports_of(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or module.startswith(owners), f"{module} imports {name}, which is {owners[0]}'s"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        if "settings" in ast.unparse(node.value).lower():
            owners = PLACES.get(node.attr)
            assert owners is None or module.startswith(owners), f"{module} knows settings.{node.attr}"
        is_below = module.startswith(("hem_etl.pipeline", "hem_etl.facts", "hem_etl.report", "hem_etl.cli"))
        assert node.attr != "execute" or not is_below, f"{module}:{node.lineno} runs SQL on a connection"


def test_every_question_of_a_door_runs_on_an_empty_warehouse() -> None:
    """Each file of facts/queries by itself: what it reads is there."""
    folder = PACKAGE / "facts" / "queries"
    lent = {
        "wanted": "select '' as id, '' as system_id, '' as part, current_date as day",
        "wanted_interval": "select 'day' as interval_kind, current_date as day",
        "member": "select '' as system_id, '' as part",
        "failed": "select '' as outcome",
        "blocked": "select '' as outcome",
        "shown": "select '' as system_id, current_date as day",
        "missing_place": "select '' as system_id, current_date as day, '' as reason, '' as outcome, 'soc' as metrics, "
        "1 as places",
        "period": "select current_date as first_day, current_date as last_day",
    }
    values = {"day": "2026-03-29", "yesterday": "2026-03-29", "at_utc": "2026-03-29", "system_id": "a", "unit": "month"}
    values |= {"start": "2026-03-01", "end": "2026-03-29"}
    with duckdb.connect() as connection:
        create_tables(connection, load_models())
        build(connection, load_models())
        for name, frame in lent.items():
            connection.execute(f"create table {name} as {frame}")
        for file in sorted(folder.glob("*.sql")):
            sql = file.read_text(encoding="utf-8")
            assert sql.startswith("-- "), f"{file.name} says what it asks"
            named = {name: values.get(name, "2026-03") for name in re.findall(r"\$([a-z_]+)", sql)}
            connection.execute(sql, named)


def test_everything_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["lake"]]
    wanted += project["optional-dependencies"]["celery"]
    declared = {re.split("[>=[]", requirement)[0] for requirement in wanted}
    names = {"python-dotenv": "dotenv", "pydantic-settings": "pydantic_settings", "dagster-celery": "dagster_celery"}
    allowed = {names.get(name, name) for name in declared} | {"hem_etl", "pydantic_core"} | set(sys.stdlib_module_names)
    for module, path in modules():
        foreign = {name.split(".")[0] for name in imports_of(path)} - allowed
        assert not foreign, f"{module} imports {foreign}, which pyproject does not declare"


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        ("core.reading", normalise.READING_SCHEMA),
        ("core.interval_15min", normalise.INTERVAL_15MIN_SCHEMA),
        ("core.day_energy", normalise.DAY_ENERGY_SCHEMA),
        ("core.series", normalise.SERIES_SCHEMA),
        ("core.finding", pl.Schema({**normalise.FINDING_SCHEMA, "interval": pl.String()})),
        ("core.reported_day", normalise.REPORTED_SCHEMA),
        ("core.system", fleet.SYSTEM_SCHEMA),
        ("core.system_history", fleet.HISTORY_SCHEMA),
        ("core.asset", fleet.ASSET_SCHEMA),
        ("core.override", corrections.HISTORY_SCHEMA),
        ("core.load", ledger.ENTRY_SCHEMA),
    ],
)
def test_a_frame_has_the_columns_of_its_table(table: str, schema: pl.Schema) -> None:
    with duckdb.connect() as connection:
        create_tables(connection, load_models())
        real = pl.DataFrame(connection.sql(f"from {table}")).schema
    assert set(real) == set(schema)
    assert {name: kind for name, kind in real.items() if name != "raw"} == {
        name: kind for name, kind in schema.items() if name != "raw"
    }
