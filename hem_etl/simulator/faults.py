"""Which fault hits which request: a pure function of seed, system, interval and attempt.

*Transient* faults go away when the request is tried again (three tries at most are spoilt). *Persistent* ones hit
chosen systems: some all of a system, the others chosen intervals of it (`describe` tells which). The systems are chosen
when the faults meet a fleet (`bound_to`, done by the simulator); a clean majority of a fleet of three or more remains.
Nothing here touches an answer: `serving` and `spoiling` do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hem_etl.local_day import Interval
from hem_etl.simulator.chance import stable_hash, stable_ratio
from hem_etl.vocabulary import IntervalKind

TRANSIENT = {
    "burst_503": 0.10,  # 503, twice in a row
    "rate_limit": 0.05,  # 429, Retry-After in seconds
    "rate_limit_date": 0.05,  # 429, Retry-After as an HTTP date
    "rate_limit_bare": 0.05,  # 429 without
    "reset": 0.05,  # the connection is reset
    "truncated": 0.05,  # the body ends early
    "slow": 0.02,  # the answer is late; in process: a read timeout
}
"""Faults that a retry overcomes, with the default share of (system, interval) pairs and pages that they hit."""

WHOLE_SYSTEM = {
    "relink": 0.02,  # 400 user credentials invalid
    "forbidden": 0.02,  # 403 on statistics
    "vanish": 0.02,  # 404 in mid-run for statistics, system and list row
    "unsupported": 0.02,  # 422
}
"""Faults of all intervals of a system, with the default share of systems."""

SOME_INTERVALS = {
    "before_installation": 0.02,  # 400 before installation
    "bad_query": 0.02,  # 400 of another kind
    "lying_404": 0.02,  # statistics 404 while the system exists
    "unreadable": 0.02,  # 200 with HTML, a list, an unknown unit or resolution
    "bad_points": 0.02,  # 200 with single points that cannot be read
    "vanished_series": 0.02,  # 200, from the second answer on, without a series that was there
    "outage": 0.02,  # 503 for ever
}
"""Faults of every fourth day and month of a system, with the default share of systems."""

OTHER = {
    "revoked_token": 0.01,  # every token is revoked at its 1/rate-th use for statistics, and that request gets a 401
    "repeated_rows": 1.0,  # each page of a list repeats the last row of the page before
}

DEFAULT_RATES = TRANSIENT | WHOLE_SYSTEM | SOME_INTERVALS | OTHER
MOST_SPOILT_TRIES = 3
FEWEST_USES_OF_A_TOKEN = 10
EVERY = 4


@dataclass(frozen=True, slots=True)
class Target:
    """A persistent fault of one system: days and months whose number leaves `remainder` when divided by `every`."""

    name: str
    every: int = 1
    remainder: int = 0

    def hits(self, label: str) -> bool:
        interval = Interval.parse(label)
        day = interval.day
        number = day.toordinal() if interval.kind is IntervalKind.DAY else day.year * 12 + day.month
        return number % self.every == self.remainder


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong. Made by `none`, `all`, `parse` or `pinned`."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Transient: share of requests. Persistent: share of systems, at least one system."""
    seed: int = 0
    retry_after_seconds: int = 1
    targets: Mapping[str, tuple[Target, ...]] | None = None
    """Persistent faults by system id; None until the faults have met a fleet."""

    @classmethod
    def none(cls) -> "Faults":
        return cls(targets={})

    @classmethod
    def all(cls, seed: int = 1) -> "Faults":
        return cls(rates=DEFAULT_RATES, seed=seed)

    @classmethod
    def parse(cls, text: str, seed: int = 1) -> "Faults":
        """`"burst_503,reset:0.1"`: names with an optional rate from 0 to 1; `all` and `none` are names too.

        ValueError names what cannot be understood.
        """
        rates: dict[str, float] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, _, rate = item.partition(":")
            if name == "all" and not rate:
                rates |= DEFAULT_RATES
            elif name in DEFAULT_RATES:
                rates[name] = _rate(item, rate) if rate else DEFAULT_RATES[name]
            elif item != "none":
                raise ValueError(f"unknown fault {item!r}; known are all, none, {', '.join(DEFAULT_RATES)}")
        return cls(rates=rates, seed=seed)

    @classmethod
    def pinned(cls, names: Mapping[str, str], seed: int = 1) -> "Faults":
        """Persistent faults on systems of one's own choice, {system id: name}; each hits every interval."""
        for name in names.values():
            if name not in WHOLE_SYSTEM | SOME_INTERVALS:
                raise ValueError(f"{name!r} is no persistent fault")
        return cls(seed=seed, targets={system_id: (Target(name),) for system_id, name in names.items()})

    def bound_to(self, system_ids: Sequence[str]) -> "Faults":
        """The same faults with their target systems chosen among `system_ids`; chosen ones stay."""
        if self.targets is not None:
            return self
        count = len(system_ids)
        limit = (count - 1) // 2 if count >= 3 else min(count, 1)
        chosen = sorted(system_ids, key=lambda system_id: stable_hash(self.seed, "target", system_id))[:limit]
        return replace(self, targets=dict(zip(chosen, self._placements(count), strict=False)))

    def _placements(self, count: int) -> list[tuple[Target, ...]]:
        """What to put on chosen systems, first one of each fault, then the rest of each share."""

        def copies(names: Mapping[str, float]) -> list[str]:
            shares = {name: max(1, round(self.rates[name] * count)) for name in names if self.rates.get(name, 0) > 0}
            return [name for turn in range(count) for name, share in shares.items() if turn < share]

        whole = [(Target(name),) for name in copies(WHOLE_SYSTEM)]
        some = copies(SOME_INTERVALS)
        pairs = [
            tuple(Target(name, EVERY, EVERY // 2 * place) for place, name in enumerate(some[i : i + 2]))
            for i in range(0, len(some), 2)
        ]
        firsts = len([name for name in WHOLE_SYSTEM if self.rates.get(name, 0) > 0])
        return [*whole[:firsts], *pairs, *whole[firsts:]]

    def describe(self, system_id: str, label: str) -> str | None:
        """The persistent fault that hits this system and interval (`2026-03-29`, `2026-03`), if any."""
        if self.targets is None:
            raise ValueError("these faults have met no fleet yet: ask simulator.faults, or bound_to(system_ids)")
        return next((target.name for target in self.targets.get(system_id, ()) if target.hits(label)), None)

    def has_vanishing(self, system_id: str) -> bool:
        """Whether the system is one that vanishes in mid-run."""
        return self._hits_whole(system_id, "vanish")

    def has_dead_credentials(self, system_id: str) -> bool:
        """Whether the system's user has to link again."""
        return self._hits_whole(system_id, "relink")

    def transient(self, request: str, attempt: int) -> str | None:
        """The fault that spoils try number `attempt` (0-based) of `request`, if any."""
        tries = [
            name
            for name in TRANSIENT
            if stable_ratio(self.seed, name, request) < self.rates.get(name, 0.0)
            for _ in range(2 if name == "burst_503" else 1)
        ][:MOST_SPOILT_TRIES]
        return tries[attempt] if attempt < len(tries) else None

    def _hits_whole(self, system_id: str, fault: str) -> bool:
        return any(target.name == fault for target in (self.targets or {}).get(system_id, ()))

    @property
    def uses_of_a_token(self) -> int | None:
        """After how many statistics requests a token is revoked; None: never."""
        rate = self.rates.get("revoked_token", 0.0)
        return max(FEWEST_USES_OF_A_TOKEN, round(1 / rate)) if rate > 0 else None


def _rate(item: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate in {item!r} must be a number from 0 to 1")
    return rate
