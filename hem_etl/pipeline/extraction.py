"""Asking: many systems at once, one interval of a system after the other, every answer landed as it comes.

Workers ask, one thread lands. Whatever ends the run (done, Ctrl-C, refused access, a full disk), what was fetched
before is landed.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from hem_etl.answer import Answer, Kind
from hem_etl.enode.client import EnodeClient, Stopped
from hem_etl.landing import SegmentWriter
from hem_etl.pipeline.planning import Ask, Plan, SystemPlan
from hem_etl.vocabulary import BLOCKED_OUTCOMES, NOT_ASKED, Outcome

UNREACHABLE_IN_A_ROW: Final = 3
"""After so many intervals of one system that no try could reach, its others wait for a later run."""
POLL_SECONDS: Final = 1.0


@dataclass(slots=True)
class Extracted:
    """What the asking brought, by HTTP outcome (`answered`: a body that is still to be read)."""

    answers: int = 0
    not_asked: int = 0
    body_bytes: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def count(self, answer: Answer) -> None:
        self.answers += 1
        self.not_asked += answer.attempts == 0
        self.body_bytes += len(answer.body or b"")
        name = answer.outcome or "answered"
        self.outcomes[name] = self.outcomes.get(name, 0) + 1


def extract(
    client: EnodeClient,
    plan: Plan,
    writer: SegmentWriter,
    *,
    workers: int,
    is_listed: Callable[[str], bool],
    clock: Callable[[], datetime],
    on_answer: Callable[[Answer], None] = lambda answer: None,
) -> Extracted:
    """Ask for everything in the plan and land it. `is_listed`: whether a good list of this run holds the system.

    Raises AccessError when Enode refuses the credentials, LandingError when the disk refuses.
    """
    waiting = queue.SimpleQueue[SystemPlan]()
    for system in plan.systems:
        waiting.put(system)
    arrived = queue.Queue[Answer | BaseException | None](maxsize=4 * workers)

    def work() -> None:
        try:
            while True:
                system = waiting.get_nowait()
                for answer in _ask_system(client, system, is_listed, clock):
                    arrived.put(answer)
        except (queue.Empty, Stopped):
            arrived.put(None)
        except BaseException as error:  # handed to the thread that lands, which raises it
            arrived.put(error)

    threads = [
        threading.Thread(target=work, name=f"ask-{number}", daemon=True)
        for number in range(min(workers, len(plan.systems)))
    ]
    for thread in threads:
        thread.start()
    extracted = Extracted()
    running, failure = len(threads), None
    while running:
        try:
            item = arrived.get(timeout=POLL_SECONDS)
            if isinstance(item, Answer):
                writer.add(item)
                extracted.count(item)
                on_answer(item)
                continue
            running -= 1
            if item is not None:
                raise item
        except queue.Empty:
            writer.flush_if_old()
        except BaseException as error:  # raised below, once what was fetched is landed
            failure = failure or error
            client.stop()
    writer.flush()
    if failure is not None:
        raise failure
    return extracted


def _ask_system(
    client: EnodeClient, system: SystemPlan, is_listed: Callable[[str], bool], clock: Callable[[], datetime]
) -> Iterator[Answer]:
    unreachable = 0
    rest: tuple[Outcome, str] | None = None
    for ask in system.asks:
        if rest is not None:
            outcome, detail = rest
            if not ask.is_explained:
                yield _not_asked(system.system_id, ask, outcome, detail, clock())
            continue
        answer = client.fetch_statistics(system.system_id, ask.interval)
        if answer.http_status == 404 and not is_listed(system.system_id):
            state = client.fetch_system(system.system_id)
            yield state
            if state.http_status == 404:
                answer = replace(answer, outcome=Outcome.GONE)
        yield answer
        unreachable = unreachable + 1 if answer.outcome is Outcome.UNREACHABLE else 0
        if answer.outcome in BLOCKED_OUTCOMES or answer.outcome is Outcome.GONE:
            rest = answer.outcome, NOT_ASKED
        elif unreachable == UNREACHABLE_IN_A_ROW:
            rest = Outcome.UNREACHABLE, f"{NOT_ASKED}: {unreachable} intervals in a row were unreachable"


def _not_asked(system_id: str, ask: Ask, outcome: Outcome, detail: str, at: datetime) -> Answer:
    return Answer(Kind(ask.interval.kind), system_id, ask.interval, 0, None, at, 0, 0, None, outcome, detail, None)
