"""Models of a user's own: made beside ours; what is wrong with them costs ours nothing and is told in one line."""

import logging
import shutil
from pathlib import Path

import polars as pl
import pytest
from tiers import swept
from world import World, same_tables

from hem_etl.simulator import make_fleet

MODEL = """\
-- name: own.daily
-- meaning: Import of each day, and what it costs.
-- grain: system and day
-- key: system_id, day
-- null: nothing known of the day.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   import_eur | double | EUR | what it costs

select daily.system_id, daily.day, daily.grid_import_kwh * price.eur as import_eur
from marts.daily_energy as daily
cross join own.price as price
"""
SUMMED = """\
-- name: own.by_home
-- meaning: Costs of each home.
-- grain: system
-- key: system_id
-- null: nothing known.
-- materialized: table
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   import_eur | double | EUR | what its days cost

select system_id, sum(import_eur) as import_eur
from own.daily
group by system_id
"""
CHECK = """\
-- name: checks.cheap
-- meaning: Nobody pays more than a euro a day.
-- severity: {severity}
-- failing row: a day that costs more

select system_id, day from own.daily where import_eur > {most}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "home", make_fleet(2, today=World(tmp_path / "other").now.date()))
    write(tmp_path / "mine", own__daily=MODEL, own__by_home=SUMMED, seeds__price="eur\n0.5\n")
    world.settings = world.settings.model_copy(update={"own_models": tmp_path / "mine"})
    return world


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        kind, _, stem = name.partition("__")
        path = folder / kind / f"{stem}.{'csv' if kind == 'seeds' else 'sql'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def own(world: World) -> list[str]:
    names = world.sql("select table_name from information_schema.tables where table_schema = 'own' order by 1")
    return names["table_name"].to_list()


def ours(world: World) -> dict[str, pl.DataFrame]:
    return {name: frame for name, frame in world.tables().items() if not name.startswith("own.")}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_own_models_stand_beside_ours_with_their_meanings(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.run("2026-11-20", "2026-11-21")
    assert own(world) == ["by_home", "daily", "price"]
    costs = world.sql("select system_id, import_eur from own.by_home order by 1")
    imported = world.sql(
        "select system_id, sum(grid_import_kwh) * 0.5 as import_eur from marts.daily_energy group by 1 order by 1"
    )
    assert costs["import_eur"].to_list() == pytest.approx(imported["import_eur"].to_list())
    meaning = "from core.dictionary where relation = 'own.daily' and column_name = 'import_eur'"
    assert world.sql(f"select meaning, unit {meaning}").row(0) == ("what it costs", "EUR")
    assert told(caplog) == []


def test_another_text_or_price_is_made_at_the_next_run_though_nothing_is_due(world: World) -> None:
    world.run("2026-11-20", "2026-11-21")
    before = world.sql("select sum(import_eur) from own.daily").item()
    folder = world.settings.own_models
    assert folder is not None
    write(folder, seeds__price="eur\n1.0\n")
    world.run("2026-11-20", "2026-11-21")
    assert world.sql("select sum(import_eur) from own.daily").item() == pytest.approx(2 * before)
    shutil.rmtree(folder / "own")
    world.run("2026-11-20", "2026-11-21")
    assert own(world) == ["price"]
    world.settings = world.settings.model_copy(update={"own_models": None})
    world.run("2026-11-20", "2026-11-21")
    assert own(world) == []


BROKEN = {
    "no SQL": ({"own__daily": MODEL.replace("select daily", "selekt daily")}, "own/daily.sql: "),
    "unknown column": (
        {"own__daily": MODEL.replace("grid_import_kwh", "no_such_kwh")},
        "own/daily.sql: DuckDB refuses",
    ),
    "a header that lies": (
        {"own__daily": MODEL.replace("import_eur | double", "import_eur | integer")},
        "own/daily.sql: the header does not say",
    ),
    "a header without a grain": ({"own__daily": MODEL.replace("-- grain: system and day\n", "")}, "own/daily.sql: "),
    "reads what is none": (
        {"own__daily": MODEL.replace("own.price", "own.prices")},
        "own/daily.sql: reads relations that are no SQL model",
    ),
    "a key that is none": (
        {
            "own__by_home": SUMMED.replace(
                "select system_id, sum(import_eur) as import_eur\nfrom own.daily\ngroup by system_id",
                "select system_id, import_eur from own.daily",
            )
        },
        "own_by_home_key does not hold",
    ),
    "a structural check": (
        {"checks__cheap": CHECK.format(severity="structural", most=-1)},
        "checks/cheap.sql: cheap does not hold",
    ),
    "a circle": (
        {"own__daily": MODEL.replace("own.price", "own.by_home").replace("price.eur", "price.import_eur")},
        "in a circle",
    ),
    "not a select": ({"own__daily": MODEL[: MODEL.index("select")] + "drop table core.load"}, "own/daily.sql: "),
    "two statements": ({"own__daily": MODEL + "; delete from core.load"}, "own/daily.sql: "),
    "a name of ours": (
        {"own__daily": MODEL.replace("own.daily", "marts.daily_energy", 1)},
        "own/daily.sql: the header says name",
    ),
    "a torn seed": ({"seeds__price": ""}, "price"),
    "a name that is none": ({"seeds__A price": "eur\n1\n"}, "'A price' is no name"),
    "a check that is none": ({"checks__A check": CHECK.format(severity="structural", most=9)}, "A check"),
    "the name of a key": (
        {"checks__own_daily_key": CHECK.replace("cheap", "own_daily_key").format(severity="structural", most=9)},
        "is checked anyway",
    ),
    "a name twice": ({"seeds__daily": "eur\n1\n"}, "both a seed and a model"),
}


@pytest.mark.parametrize("case", swept(zip(BROKEN)))
def test_what_is_wrong_with_them_is_told_in_a_line_and_costs_ours_nothing(
    case: str, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world.run("2026-11-20", "2026-11-21")
    assert own(world)
    before = ours(world)
    files, why = BROKEN[case]
    write(tmp_path / "mine", **files)
    caplog.clear()

    report = world.run("2026-11-20", "2026-11-21")

    assert report.exit_code == 0
    assert own(world) == [], "none rather than one of yesterday"
    same_tables(before, ours(world))
    (line,) = told(caplog)
    assert line.startswith("own models are left out")
    assert why in line
    assert "\n" not in line

    write(tmp_path / "mine", own__daily=MODEL, own__by_home=SUMMED, seeds__price="eur\n0.5\n")
    for odd in (
        "seeds/A price.csv",
        "seeds/daily.csv",
        *(f"checks/{name}.sql" for name in ("cheap", "A check", "own_daily_key")),
    ):
        (tmp_path / "mine" / odd).unlink(missing_ok=True)
    world.run("2026-11-20", "2026-11-21")
    assert own(world) == ["by_home", "daily", "price"]


def test_a_plausibility_check_with_rows_is_told_and_leaves_them(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "mine", checks__cheap=CHECK.format(severity="plausibility", most=-1))
    world.run("2026-11-20", "2026-11-21")
    assert own(world) == ["by_home", "daily", "price"]
    (line,) = told(caplog)
    assert line.startswith("own check cheap does not hold: ")


def test_a_folder_that_is_not_there_is_told(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world.settings = world.settings.model_copy(update={"own_models": tmp_path / "nowhere"})
    world.run("2026-11-20")
    assert own(world) == []
    assert "nowhere is no folder" in told(caplog)[0]


def test_ours_are_made_anew_with_own_views_on_them(world: World) -> None:
    world.run("2026-11-20", "2026-11-21")
    with world.road().warehouse.writing() as writer:
        writer.change("update core.model set sha256 = 'another version''s' where relation <> 'own'")
    world.run("2026-11-20", "2026-11-21")
    assert own(world) == ["by_home", "daily", "price"]
    assert isinstance(world.sql("from own.daily"), pl.DataFrame)
