"""A folder of models small enough to change one thing at a time: a table, two views, a check."""

from pathlib import Path

import duckdb

from hem_etl.warehouse import models as sql_models

METER_TABLE = """\
-- name: core.meter
-- meaning: What the owner's meter said.
-- grain: meter × day
-- key: meter, day
-- null: not read.
-- columns:
--   meter | varchar | - | name of the meter
--   day | date | local date | day of the reading
--   energy_kwh | double | kWh | energy of the day

create table if not exists core.meter (meter varchar not null, day date not null, energy_kwh double);
"""
DAY_VIEW = """\
-- name: staging.day
-- meaning: All meters of a day.
-- grain: one row per day
-- key: day
-- null: nothing read.
-- columns:
--   day | date | local date | day of the reading
--   energy_kwh | double | kWh | sum over the meters

select day, sum(energy_kwh) as energy_kwh
from core.meter
group by day
"""
MONTH_VIEW = """\
-- name: marts.month
-- meaning: All days of a month, a sentence so long that it goes
--   on in a second line.
-- grain: one row per month
-- key: month
-- null: nothing read.
-- columns:
--   month | date | local date | first day of the month
--   energy_kwh | double | kWh | sum of the days

with
day as (select energy_kwh, cast(date_trunc('month', staging.day.day) as date) as month from staging.day)

select month, sum(energy_kwh) as energy_kwh
from day
group by month
"""
CHECK = """\
-- name: checks.no_negative_energy
-- meaning: A meter does not run backwards.
-- severity: plausibility
-- failing row: a reading below zero

select meter, day, energy_kwh
from core.meter
where energy_kwh < 0
"""
FILES = {
    "tables/meter.sql": METER_TABLE,
    "staging/day.sql": DAY_VIEW,
    "marts/month.sql": MONTH_VIEW,
    "checks/no_negative_energy.sql": CHECK,
}


def folder(root: Path, **changed: str) -> Path:
    """The toy models in `root`, with files added or replaced: `staging__day` is `staging/day.sql`."""
    models = root / "dbt_like_sql"
    for name, text in {**FILES, **{f"{key.replace('__', '/')}.sql": text for key, text in changed.items()}}.items():
        path = models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return models


def made(con: duckdb.DuckDBPyConnection, models: Path) -> sql_models.Models:
    loaded = sql_models.load_models(models)
    sql_models.create_tables(con, loaded)
    sql_models.build(con, loaded)
    return loaded
