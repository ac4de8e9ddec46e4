"""Asking: whatever ends it, what was fetched before is landed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hem_etl.answer import Answer, Receipt
from hem_etl.enode.client import Stopped
from hem_etl.errors import AccessError, LandingError
from hem_etl.landing import Landing, SegmentWriter
from hem_etl.local_day import Interval
from hem_etl.pipeline.extraction import UNREACHABLE_IN_A_ROW, Extracted, extract
from hem_etl.pipeline.planning import Ask, Plan, SystemPlan
from hem_etl.vocabulary import Outcome

AT = datetime(2026, 11, 22, tzinfo=UTC)
DAYS = [Interval.of_day(date(2026, 11, 1) + timedelta(days=n)) for n in range(6)]


class ScriptedClient:
    """Answers 200, but for the (system, label) pairs of `script`: an outcome, a status, or an error to raise."""

    def __init__(self, script: dict[tuple[str, str], Any] | None = None, states: dict[str, int] | None = None) -> None:
        self.script, self.states = script or {}, states or {}
        self.asked: list[tuple[str, str]] = []
        self.is_stopped = False

    def fetch_statistics(self, system_id: str, interval: Interval) -> Answer:
        if self.is_stopped:
            raise Stopped
        self.asked.append((system_id, interval.label))
        answer = Answer("day", system_id, interval, 0, None, AT, 1, 1, 200, None, None, interval.label.encode())
        said = self.script.get((system_id, interval.label))
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, Outcome):
            return replace(answer, outcome=said, http_status=None, body=None)
        return answer if said is None else replace(answer, outcome=Outcome.REFUSED, http_status=said)

    def fetch_system(self, system_id: str) -> Answer:
        status = self.states.get(system_id, 200)
        return Answer("system", system_id, None, 0, None, AT, 1, 1, status, None, None, b"{}")

    def stop(self) -> None:
        self.is_stopped = True


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def plan(*systems: str, known_blocked: int = 0) -> Plan:
    asks = tuple(Ask(day, number >= len(DAYS) - known_blocked) for number, day in enumerate(DAYS))
    return Plan(tuple(SystemPlan(system, asks) for system in systems), len(systems), 0, 0)


def ask(
    client: ScriptedClient, landing: Landing, what: Plan, *, listed: frozenset[str] = frozenset(), workers: int = 4
) -> Extracted:
    with landing.writer() as writer:
        return extract(
            client,  # type: ignore[arg-type]
            what,
            writer,
            workers=workers,
            is_listed=listed.__contains__,
            clock=lambda: AT,
        )


def landed(landing: Landing) -> list[Receipt]:
    return landing.read_receipts(landing.segments())


def outcomes(landing: Landing, system: str) -> Iterator[str | None]:
    rows = [row for row in landed(landing) if row.system_id == system and row.kind == "day"]
    return (row.outcome for row in sorted(rows, key=lambda row: row.interval))


def test_every_interval_of_every_system_is_asked_once_and_landed(landing: Landing) -> None:
    client = ScriptedClient()
    told = ask(client, landing, plan("a", "b", "c"))
    assert sorted(client.asked) == sorted((s, d.label) for s in "abc" for d in DAYS)
    assert (told.answers, told.outcomes, len(landed(landing))) == (18, {"answered": 18}, 18)


def test_nothing_to_ask_is_fine(landing: Landing) -> None:
    assert ask(ScriptedClient(), landing, Plan((), 0, 0, 0)).answers == 0


@pytest.mark.parametrize("blocked", [Outcome.RELINK_NEEDED, Outcome.FORBIDDEN])
def test_a_blocked_system_is_asked_once_and_its_others_get_the_outcome(landing: Landing, blocked: Outcome) -> None:
    client = ScriptedClient({("a", DAYS[0].label): blocked})
    told = ask(client, landing, plan("a", "b"))
    assert [system for system, _ in client.asked].count("a") == 1
    assert list(outcomes(landing, "a")) == [blocked] * 6
    assert {row.detail for row in landed(landing) if row.attempts == 0} == {"not asked"}
    assert told.not_asked == 5
    assert list(outcomes(landing, "b")) == [None] * 6


def test_what_the_ledger_already_calls_blocked_is_not_written_again(landing: Landing) -> None:
    client = ScriptedClient({("a", DAYS[0].label): Outcome.RELINK_NEEDED})
    ask(client, landing, plan("a", known_blocked=4))
    assert list(outcomes(landing, "a")) == ["relink_needed"] * 2


def test_a_system_that_stays_unreachable_waits_for_a_later_run(landing: Landing) -> None:
    client = ScriptedClient({("a", day.label): Outcome.UNREACHABLE for day in DAYS})
    ask(client, landing, plan("a"))
    assert len(client.asked) == UNREACHABLE_IN_A_ROW
    assert list(outcomes(landing, "a")) == ["unreachable"] * 6


def test_single_unreachable_intervals_do_not_stop_a_system(landing: Landing) -> None:
    client = ScriptedClient({("a", DAYS[n].label): Outcome.UNREACHABLE for n in (0, 1, 3, 4)})
    ask(client, landing, plan("a"))
    assert len(client.asked) == 6


@pytest.mark.parametrize(
    ("listed", "state", "outcome", "asked"),
    [(frozenset(), 404, "gone", 1), (frozenset("a"), 404, "refused", 6), (frozenset(), 200, "refused", 6)],
)
def test_gone_needs_the_statistics_the_system_and_the_list(
    landing: Landing, listed: frozenset[str], state: int, outcome: str, asked: int
) -> None:
    client = ScriptedClient({("a", day.label): 404 for day in DAYS}, states={"a": state})
    ask(client, landing, plan("a"), listed=listed)
    assert set(outcomes(landing, "a")) == {outcome}
    assert len(client.asked) == asked


def test_refused_access_stops_everybody_and_keeps_what_was_fetched(landing: Landing) -> None:
    client = ScriptedClient({("a", DAYS[3].label): AccessError("no")})
    with pytest.raises(AccessError):
        ask(client, landing, plan("a"), workers=1)
    assert client.is_stopped
    assert len(landed(landing)) == 3


def test_an_interrupt_lands_what_was_fetched(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    add = SegmentWriter.add
    seen = []

    def interrupted(self: SegmentWriter, answer: Answer) -> None:
        add(self, answer)
        seen.append(answer)
        if len(seen) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(SegmentWriter, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(ScriptedClient(), landing, plan("a", "b", "c"), workers=2)
    assert len(landed(landing)) == len(seen) >= 4


def test_a_full_disk_stops_the_run(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: SegmentWriter, answer: Answer) -> None:
        raise LandingError("No space left")

    monkeypatch.setattr(SegmentWriter, "add", full)
    client = ScriptedClient()
    with pytest.raises(LandingError, match="No space left"):
        ask(client, landing, plan("a", "b", "c"))
    assert client.is_stopped
