"""Days prepared before the fold asks for them, in worker processes, while it commits others and while Enode is asked.

Where the fold would wait for a worker, this process prepares what none has begun: all cores are busy with one worker
fewer than there are cores, and no time is lost until a worker is ready.

What will be asked for is guessed: by the order of landed looks, and with the zones and vendors that are known then. The
guess costs nothing but time. What was prepared is used for that very look alone, and only where it was read and judged
with what counts when the fold asks; everything else is prepared then. So tables do not depend on who prepared what.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain, count, groupby
from types import TracebackType
from typing import Final, Self

from hem_etl.answer import LIST_KINDS, STATISTICS_KINDS, Key, Kind, Receipt
from hem_etl.errors import LandingError
from hem_etl.landing import Landing
from hem_etl.pipeline import batches
from hem_etl.pipeline.fleet import Fleet
from hem_etl.pipeline.keys import day_frame
from hem_etl.pipeline.ledger import Entry
from hem_etl.pipeline.planning import Plan
from hem_etl.preparing.crew import Crew, WorkerProcesses
from hem_etl.preparing.prepare import Judging, PreparedDays
from hem_etl.preparing.shards import DayLook, Shard, prepare_looks
from hem_etl.settings import Settings
from hem_etl.warehouse import Writer

LOG = logging.getLogger(__name__)

LEAST_BODIES: Final = 500
"""Fewer are prepared before a worker process is ready."""
SHARDS_AHEAD: Final = 3
"""Per worker: what is prepared and not yet taken, some 30 MB each, waits on the disk."""

Entries = Callable[[Collection[Key]], Mapping[Key, Entry]]
"""The ledger's rows of these intervals, as far as there are any."""
Hire = Callable[[int, Landing, Settings], Crew]


def hire(size: int, landing: Landing, settings: Settings) -> Crew:
    """So many worker processes."""
    return WorkerProcesses(size, landing, settings.prepared)


class Ahead:
    """What is prepared of landed days. Use it as a context manager: at its end no worker is left."""

    def __init__(self, landing: Landing, settings: Settings, hire: Hire = hire, least: int = LEAST_BODIES) -> None:
        self._landing = landing
        self._settings = settings
        self._hire = hire
        self._least = least
        self._crew: Crew | None = None
        self._coming: Iterator[Sequence[str]] = iter(())
        self._awaited: dict[DayLook, _Awaited] = {}
        self._unsent: list[list[DayLook]] = []
        self._known: tuple[Fleet, Entries] | None = None
        """While Enode is asked: what was known before."""
        self._followed = 0
        self._numbers = count()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._crew is not None:
            self._crew.close()
        self._crew, self._awaited, self._unsent = None, {}, []

    def follow(self, plan: Plan, tables: Writer) -> None:
        """Enode is about to be asked for this, and `arrived` to be told."""
        if plan.requests >= self._least and self._settings.most_workers > 1:
            before = plan.before
            self._known = Fleet(tables), lambda keys: {key: entry for key in keys if (entry := before.get(key))}

    def arrived(self, segments: Sequence[str]) -> None:
        """These have been landed since, the newest last; have prepared what came new, as far as it can wait."""
        if self._known is not None and len(segments) > self._followed:
            fleet, entries = self._known
            self._coming = chain(self._coming, [segments[self._followed :]])
            self._followed = len(segments)
            self.look_ahead(entries, fleet)

    def expect(self, segments: Iterable[str]) -> None:
        """These will be loaded, in this order."""
        if self._settings.most_workers > 1:
            self._coming = batches.chunks(segments, batches.SEGMENTS_PER_TRANSACTION)

    def look_ahead(self, entries: Entries, fleet: Fleet) -> None:
        """Have prepared what is coming, as far as it does not wait too long."""
        most = self._settings.most_workers * SHARDS_AHEAD * batches.BODIES_PER_BATCH
        while len(self._awaited) + sum(map(len, self._unsent)) < most:
            segments = next(self._coming, None)
            if segments is None:
                break
            try:
                receipts = self._landing.read_receipts(segments)
            except LandingError:
                break  # whoever loads it will tell
            self._unsent += self._shards_of(receipts, entries)
        self._send(fleet)

    def prepare(self, looks: Collection[Receipt], fleet: Fleet) -> PreparedDays:
        """The days of these looks, of different intervals, as the fleet is known now, in the zones known at each.

        Raises LandingError for a body that is missing or damaged, WorkerError where a worker died.
        """
        wanted = [_day_look(look) for look in looks]
        zones, judging = self._with(wanted, fleet)
        found: dict[_Awaited, list[DayLook]] = {}
        rest = []
        for look in wanted:
            awaited = self._awaited.pop(look, None)
            if awaited is None:
                rest.append(look)
            else:
                found.setdefault(awaited, []).append(look)
        prepared = []
        for awaited, of_shard in found.items():
            self._work_until_done(awaited)
            good = awaited.holding(of_shard, zones, judging)
            prepared.append(awaited.only(good))
            rest += [look for look in of_shard if look not in good]
        if rest or not prepared:
            prepared.append(prepare_looks(self._landing, rest, zones, judging))
        return PreparedDays.joined(prepared)

    def forget(self, looks: Iterable[Receipt]) -> None:
        """These have been loaded."""
        for look in looks:
            if look.kind is Kind.DAY and look.body_sha256 is not None:
                self._awaited.pop(_day_look(look), None)

    def _shards_of(self, receipts: Iterable[Receipt], entries: Entries) -> Iterator[list[DayLook]]:
        """The looks that the fold will most likely ask for, together as it will: a list stands between its batches."""
        known = [receipt for receipt in receipts if receipt.kind in (*STATISTICS_KINDS, *LIST_KINDS)]
        held = entries({receipt.key for receipt in known if receipt.kind is Kind.DAY})
        for kind_of_list, group in groupby(known, lambda receipt: receipt.kind if receipt.kind in LIST_KINDS else None):
            for part in batches.parts(list(group)) if kind_of_list is None else ():
                answers = [look for look in part if look.kind is Kind.DAY and look.outcome is None]
                new = [
                    look for look in answers if look.key not in held or not held[look.key].says_all_of(look.body_sha256)
                ]
                looks = [day_look for look in new if (day_look := _day_look(look)) not in self._awaited]
                if looks:
                    yield looks

    def _send(self, fleet: Fleet) -> None:
        if self._crew is None:
            bodies = sum(map(len, self._unsent))
            if bodies < self._least:
                return
            workers = self._settings.most_workers
            LOG.info("workers=%d (this process is one), bodies=%d or more to prepare", workers, bodies)
            self._crew = self._hire(workers - 1, self._landing, self._settings)
        for looks in self._unsent:
            zones, judging = self._with(looks, fleet)
            awaited = _Awaited(self._crew, Shard(next(self._numbers), tuple(looks), zones, judging))
            self._awaited.update(dict.fromkeys(looks, awaited))
        self._unsent = []

    def _work_until_done(self, wanted: "_Awaited") -> None:
        """Prepare here what no worker has begun, this shard before others, rather than wait for it."""
        for awaited in dict.fromkeys([wanted, *self._awaited.values()]):
            if wanted.is_done:
                break
            awaited.prepare_here(self._landing)

    def _with(self, looks: Collection[DayLook], fleet: Fleet) -> tuple[dict[DayLook, str | None], Judging]:
        judging = Judging.by(self._settings, {look.system_id: fleet.vendor(look.system_id) for look in looks})
        return {look: fleet.timezone(look.system_id, look.fetched_at_utc) for look in looks}, judging


class _Awaited:
    """A shard that was given out, and what comes of it."""

    def __init__(self, crew: Crew, shard: Shard) -> None:
        self._crew = crew
        self._shard = shard
        self._done: Future[None] = crew.submit(shard)
        self._prepared: PreparedDays | None = None

    @property
    def is_done(self) -> bool:
        return self._done.done()

    def prepare_here(self, landing: Landing) -> None:
        """Prepare it in this process, unless a worker has begun; what fails is raised where it is taken."""
        if not self._done.cancel():
            return
        self._done = Future()
        try:
            self._prepared = self._shard.prepared(landing)
        except LandingError as error:
            self._done.set_exception(error)
        else:
            self._done.set_result(None)

    def holding(self, looks: Iterable[DayLook], zones: Mapping[DayLook, str | None], judging: Judging) -> set[DayLook]:
        """Those of the looks that were prepared with what would be taken now; waits for them."""
        outcomes = self._take().outcomes
        read_in = dict(zip(outcomes.select("system_id", "day").rows(), outcomes["timezone"], strict=True))
        return {
            look
            for look in looks
            if judging.balance_tolerance[look.system_id] == self._shard.judging.balance_tolerance[look.system_id]
            and self._is_zone_of_no_matter(look, zones[look], read_in[look.system_id, look.day])
        }

    def only(self, looks: Collection[DayLook]) -> PreparedDays:
        return self._take().only(day_frame([(look.system_id, look.day) for look in looks]))

    def _is_zone_of_no_matter(self, look: DayLook, zone: str | None, read_in: str | None) -> bool:
        """The same was known, or another was used: one that a series states goes before what is known of the system."""
        known = self._shard.zones[look]
        return zone == known or (read_in is not None and read_in != known)

    def _take(self) -> PreparedDays:
        if self._prepared is None:
            self._done.result()
            self._prepared = self._crew.take(self._shard)
        return self._prepared


def _day_look(look: Receipt) -> DayLook:
    system_id, interval = look.key
    return DayLook(system_id, interval.day, look.fetched_at_utc, str(look.body_sha256), look.segment)
