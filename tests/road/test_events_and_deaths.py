"""A process that acts on webhooks dies at any step: no event is lost, nothing is asked twice within the debounce."""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from world import NOW, World, same_tables

from hem_etl.simulator import make_fleet
from hem_etl.vocabulary import EventName

DAYS = ("2026-11-21", "2026-11-22")
STEPS = {
    "before what was received is landed": "hem_etl.landing.writer.SegmentWriter.flush",
    "between landing and the mark in the inbox": "hem_etl.webhooks.inbox.Inbox.take",
    "between landing and the tables": "hem_etl.pipeline.road.loading.load",
    "in the transaction that loads it": "hem_etl.pipeline.commit.Events.write",
    "between the plan and the asking": "hem_etl.pipeline.road.extract",
    "between what was asked and the tables": "hem_etl.pipeline.road.Road._finish",
    "before it is published": "hem_etl.pipeline.road.publishing.publish",
}
"""When it dies, and the verb that it does not come to the end of."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("filled") / "home", make_fleet(3, today=NOW.date()))
    world.run(*DAYS)
    return world


def announced(filled: World, folder: Path) -> World:
    """An hour later, with an update of one home and the end of a user's credentials, which is none, waiting."""
    world = filled.copied_to(folder)
    world.simulator.ledger.clear()
    world.pass_time(minutes=59)
    first, second, _ = world.simulator.fleet.homes
    world.deliver(
        {"event": EventName.UPDATED, "hemSystem": {"id": first.system_id}},
        {"event": EventName.INVALIDATED, "user": {"id": second.user_id}},
        {"event": EventName.HEARTBEAT, "pendingEvents": 0},
    )
    world.pass_time(minutes=1)
    return world


@pytest.fixture(scope="module")
def undisturbed(filled: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = announced(filled, tmp_path_factory.mktemp("undisturbed") / "home")
    world.run_due()
    return world


@pytest.mark.parametrize("verb", STEPS.values(), ids=STEPS.keys())
def test_a_death_loses_no_event_and_asks_nothing_twice(
    filled: World, undisturbed: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    world = announced(filled, tmp_path / "home")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verb, die)
        with pytest.raises(KeyboardInterrupt):
            world.run_due()
    world.run_due()
    tables, wanted = world.tables(), undisturbed.tables()
    ours, theirs = (
        frames.pop("core.event").drop("event_id").sort("position") for frames in (tables, wanted)
    )  # an event's id is made from where its receiver kept it
    assert_frame_equal(ours, theirs)
    assert ours["handled_at_utc"].null_count() == 0
    same_tables(tables, wanted)
    assert world.simulator.ledger.statistics == undisturbed.simulator.ledger.statistics
    assert set(world.simulator.ledger.statistics.values()) == {1}

    world.pass_time(minutes=14)
    assert world.run_due().asked == 0
