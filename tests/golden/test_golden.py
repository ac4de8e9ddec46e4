"""A whole small fleet, from the wire to the marts, as it was once read through by a person.

`UPDATE_GOLDEN=1 make test` writes the files anew; read the difference before you commit it.
"""

import os
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal
from world import World

from hem_etl.simulator import make_fleet

HERE = Path(__file__).parent
QUERIES = {
    "daily_energy": "select * exclude (system_id, user_id) from marts.daily_energy order by vendor, day, system_id",
    "monthly_energy": "select * exclude (system_id, user_id) from marts.monthly_energy "
    "order by vendor, month, system_id",
    "interval_15min": "select * exclude (system_id) from marts.interval_15min where day = '2026-11-21' "
    "and start_local::time between '11:00' and '11:59' order by vendor, system_id, start_utc",
    "coverage_daily": "select * exclude (system_id) from marts.coverage_daily where day = '2026-11-21' "
    "order by vendor, system_id, metric",
}


def test_a_small_fleet_gives_the_numbers_that_were_read_through(world: World) -> None:
    world.simulator.fleet = make_fleet(9, today=world.now.date())
    world.run("2026-11-19", "2026-11-22")
    for name, query in QUERIES.items():
        got = world.sql(query)
        path = HERE / f"{name}.csv"
        if os.environ.get("UPDATE_GOLDEN"):
            got.write_csv(path)
        expected = pl.read_csv(path, schema_overrides=got.schema)
        assert_frame_equal(got, expected, rel_tol=1e-9, abs_tol=1e-9)
