"""What a run tells: its progress while it goes, and what it did when it is done. No verbs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Protocol

import polars as pl

from hem_etl.answer import Key
from hem_etl.errors import SOME_FAILED
from hem_etl.pipeline.ledger import Entry
from hem_etl.pipeline.planning import Plan
from hem_etl.vocabulary import FAILED_OUTCOMES
from hem_etl.warehouse import CheckResult


class Progress(Protocol):
    """Whoever wants to see how far a run is."""

    def begin(self, step: str, total: int | None) -> None:
        """A step begins; `total` is how often `advance` will be called, where that is known."""

    def advance(self, done: int) -> None:
        """So many of the step's parts are done."""

    def note(self, text: str) -> None:
        """Why it takes long just now: a request is tried again. May come from any thread."""


class Silence:
    """Nobody is watching."""

    def begin(self, step: str, total: int | None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Listed:
    """What the lists said.

    system_ids: the systems that they name; None unless every page arrived and one named a system. Where events asked
    for lists of some users: with the known systems of all users whose list did not arrive or was not asked for; None
    if no page named a system.
    """

    system_ids: frozenset[str] | None
    failure: str | None
    is_out_of_reach: bool = False
    """No answer at all came: the others were not asked."""


NOTHING_LISTED: Final = Listed(None, None)


@dataclass(frozen=True, slots=True)
class ListsWanted:
    """Lists that events wait for: of these users' systems (None: of all), beside the systems that are known."""

    users: list[str | None]
    systems: pl.DataFrame


@dataclass(frozen=True, slots=True)
class OverridesReport:
    """What putting a file of corrections in force did."""

    rows: int
    """Rows in force now."""
    new_rows: int
    taken_back: int
    """Rows that were in force before."""
    changed_days: list[Key]
    """(system, day) whose values changed."""
    idle: list[dict[str, Any]]
    """Rows in force that edit nothing: system_id, start, end, metric, loaded_days, days_without_the_series."""
    published: str

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        return asdict(self) | {"changed_days": _labelled(self.changed_days)}


@dataclass(slots=True)
class RunReport:
    """What a run did, for a person, a schedule or `--json`."""

    fleet_size: int = 0
    asked: int = 0
    not_due: int = 0
    not_begun: int = 0
    requests: int = 0
    body_bytes: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Asked intervals by outcome."""
    failed: list[dict[str, Any]] = field(default_factory=list)
    """Asked intervals that failed: system_id, interval, outcome, detail."""
    new_days: int = 0
    changed_days: int = 0
    unchanged: int = 0
    recut: list[Key] = field(default_factory=list)
    """Intervals cut anew because the rules of their zone changed."""
    rows: int = 0
    list_failure: str | None = None
    warnings: list[CheckResult] = field(default_factory=list)
    """Plausibility checks with rows: worth a look, and no reason not to publish."""
    seconds: float = 0.0
    published: str | None = None
    """Where people query; None: of a part of a run, which readers see when the whole is published."""
    entries: dict[Key, Entry] = field(default_factory=dict)
    """The ledger's row, after the run, of every interval that was wanted and has begun, asked or not."""
    gone: dict[Key, Entry] = field(default_factory=dict)
    """Wanted intervals of systems that are gone, and so not asked: what is known of each."""
    red: frozenset[Key] = frozenset()
    """All intervals whose last look ended in no known outcome, wanted or not."""
    checks: list[CheckResult] = field(default_factory=list)
    changed_checks: frozenset[str] = frozenset()
    """Checks that do not find as many rows as at the publish before."""
    changed: frozenset[Key] = frozenset()
    """Those of them whose outcome, state or content is not what it was before the run."""

    def tell_outcomes(self, plan: Plan) -> None:
        """What became of the plan, by the ledger's rows in `entries`."""
        self.changed = frozenset(
            key for key, entry in self.entries.items() if _standing(entry) != _standing(plan.before[key])
        )
        asked = {(system.system_id, ask.interval) for system in plan.systems for ask in system.asks}
        entries = [self.entries[key] for key in sorted(asked & self.entries.keys())]
        self.outcomes = dict(Counter(str(entry.outcome) for entry in entries))
        self.failed = [
            {
                "system_id": entry.system_id,
                "interval": entry.interval.label,
                "outcome": entry.outcome,
                "detail": entry.detail,
            }
            for entry in entries
            if entry.outcome in FAILED_OUTCOMES
        ]

    def facts(self) -> dict[str, Any]:
        """What `--json` prints: everything but the rows themselves."""
        rows = ("entries", "changed", "red", "gone", "checks", "changed_checks")
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in rows}
        kept["recut"] = _labelled(self.recut)
        return kept | {"warnings": [asdict(check) for check in self.warnings], "exit_code": self.exit_code}

    @property
    def exit_code(self) -> int:
        """SOME_FAILED, else 0."""
        return SOME_FAILED if self.failed or self.list_failure else 0


def _standing(entry: Entry | None) -> tuple[object, ...]:
    return () if entry is None else (entry.outcome, entry.state, entry.version)


def _labelled(keys: Iterable[Key]) -> list[tuple[str, str]]:
    return [(system_id, interval.label) for system_id, interval in keys]
