"""A network that is down: told at once, asked for once, and nothing that is landed is held back."""

import httpx
import pytest
from world import World

from hem_etl.errors import OutOfReachError
from hem_etl.pipeline import Road


class Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []

    def begin(self, step: str, total: int | None) -> None:
        self.steps.append(step)

    def advance(self, done: int) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def down() -> httpx.BaseTransport:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route to host", request=request)

    return httpx.MockTransport(refuse)


def test_after_the_first_list_that_cannot_be_reached_nothing_else_is_asked(world: World) -> None:
    world.run("2026-11-20", months=False)
    told = Told()
    with world.client(down) as client:
        road = Road(world.settings, client=client, clock=world.clock, progress=told)
        with pytest.raises(OutOfReachError, match="cannot be reached .*ConnectError.* run again") as error:
            road.run(world.request("2026-11-19", "2026-11-21"))
    assert error.value.exit_code == 3
    assert told.steps[0] == "systems"
    assert "statistics" not in told.steps
    assert told.notes
    assert all("trying again in" in note and "ConnectError" in note for note in told.notes)
    receipts = road.landing.read_receipts(road.landing.segments())
    kinds = [receipt.kind for receipt in receipts if receipt.outcome == "unreachable"]
    assert kinds == ["systems"]


def test_what_was_landed_before_is_loaded_all_the_same(world: World) -> None:
    with world.client() as client:
        road = world.road(client)
        listed = road.sync_systems()
        road.load()
        plan = road.plan(world.request("2026-11-20", months=False))
        road.extract(plan, listed)
    with world.client(down) as client, pytest.raises(OutOfReachError):
        world.road(client).run(world.request("2026-11-20", months=False))
    with world.road().warehouse.writing() as writer:
        assert writer.read("select count(*) from core.load where outcome = 'loaded'").item() == plan.requests
