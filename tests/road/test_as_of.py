"""What was known then: the macro gives back what `marts.daily_energy` showed when it was published."""

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from world import NOW, World

from hem_etl.simulator import Faults
from hem_etl.vocabulary import FLOWS

FIRST, LAST = "2026-11-07", "2026-11-09"
SHOWN = ", ".join(["system_id", "day", *(f"{flow}_kwh" for flow in FLOWS), *(f"{flow}_coverage" for flow in FLOWS)])


def shown(world: World) -> pl.DataFrame:
    return world.sql(f"select {SHOWN} from marts.daily_energy")


def known(world: World, instant: datetime) -> pl.DataFrame:
    return world.sql(f"from marts.daily_energy_as_of(timestamptz '{instant.isoformat()}')")


@pytest.mark.slow
def test_as_of_an_instant_is_what_was_published_then_over_restatements_and_vanished_series(world: World) -> None:
    victim = world.simulator.fleet.homes[0].system_id
    world.now = datetime(2026, 11, 10, 13, 15, tzinfo=UTC)
    world.run(FIRST, LAST, months=False)
    published = {world.now: shown(world)}

    world.now = NOW
    world.simulator.faults = Faults.pinned({victim: "vanished_series"})
    for day in (FIRST, "2026-11-08", LAST):
        world.simulator.ledger.answered[victim, day] = 1
    world.run(FIRST, LAST, months=False, refresh=True)
    published[world.now] = shown(world)

    world.pass_time(hours=1)
    world.simulator.faults = Faults.none()
    world.run(FIRST, LAST, months=False, refresh=True)
    published[world.now] = shown(world)

    moved = world.sql("select applied, count(*) as days from marts.restatement group by applied").rows()
    assert dict(moved)[False] >= 1
    assert dict(moved)[True] > 3
    before, _, now = published
    assert not published[before].sort("system_id", "day").equals(published[now].sort("system_id", "day"))
    for instant, then in published.items():
        as_of = known(world, instant).select(then.columns)
        loaded = then.join(as_of, on=["system_id", "day"], how="semi")
        never_loaded = then.join(as_of, on=["system_id", "day"], how="anti").drop("system_id", "day")
        assert_frame_equal(as_of, loaded, check_row_order=False, rel_tol=1e-12, abs_tol=1e-12)
        assert never_loaded.null_count().sum_horizontal().item() == never_loaded.height * never_loaded.width
    assert known(world, now)["is_newest"].all()
    assert not known(world, before)["is_newest"].all()
