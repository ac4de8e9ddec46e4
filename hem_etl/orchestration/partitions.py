"""Partitions: which keys there are, and which systems and intervals a key stands for.

A key is `DAY|SYSTEM` or `MONTH|SYSTEM`. The first part is the text that the API takes, a label of a *local* date, so
the window is open for a day as soon as it has begun anywhere on Earth. The second part is the system's id,
percent-encoded, or, for fleets past Dagster's comfort, one of a fixed number of buckets of systems. Whether an interval
is asked at all is decided by the road.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final
from urllib.parse import quote, unquote

import dagster as dg

from hem_etl.answer import Key
from hem_etl.local_day import Interval
from hem_etl.settings import Settings
from hem_etl.vocabulary import IntervalKind

SYSTEMS: Final = "system"
"""The name of the dynamic partitions, and of the dimension."""
DAY, MONTH = "day", "month"
FIRST_ZONE_ON_EARTH: Final = "Pacific/Kiritimati"
"""A date begins here first (UTC+14)."""

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Scheme:
    """How the fleet is cut into partitions: one key for each system, or `buckets` keys for all of them."""

    start: str
    """The first day, ISO. The first month is the one that holds it."""
    buckets: int = 0

    @classmethod
    def of(cls, settings: Settings) -> "Scheme":
        return cls(settings.start_date.isoformat(), settings.system_buckets)

    @cached_property
    def days(self) -> dg.MultiPartitionsDefinition:
        """day × system, the running days included."""
        days = dg.DailyPartitionsDefinition(self.start, timezone=FIRST_ZONE_ON_EARTH, end_offset=1)
        return dg.MultiPartitionsDefinition({DAY: days, SYSTEMS: self._systems})

    @cached_property
    def months(self) -> dg.MultiPartitionsDefinition:
        """month × system, the running month included."""
        months = dg.MonthlyPartitionsDefinition(self.start[:7], timezone=FIRST_ZONE_ON_EARTH, end_offset=1, fmt="%Y-%m")
        return dg.MultiPartitionsDefinition({MONTH: months, SYSTEMS: self._systems})

    @cached_property
    def _systems(self) -> dg.PartitionsDefinition:
        if self.buckets:
            return dg.StaticPartitionsDefinition([f"bucket-{number:04d}" for number in range(self.buckets)])
        return dg.DynamicPartitionsDefinition(name=SYSTEMS)

    def system_key(self, system_id: str) -> str:
        """The key that holds this system."""
        if not self.buckets:
            return encoded(system_id)
        digest = hashlib.sha256(system_id.encode(errors="surrogatepass")).digest()
        return f"bucket-{int.from_bytes(digest[:8]) % self.buckets:04d}"

    def system_keys(self, instance: dg.DagsterInstance) -> Sequence[str]:
        """All keys in their order: a range takes those that lie between its ends here."""
        return self._systems.get_partition_keys(dynamic_partitions_store=instance)

    def new_keys(self, system_ids: Iterable[str], instance: dg.DagsterInstance) -> list[str]:
        """The keys that these systems need and that are not there yet."""
        return sorted({self.system_key(system_id) for system_id in system_ids} - set(self.system_keys(instance)))

    def add_keys(self, system_ids: Iterable[str], instance: dg.DagsterInstance) -> list[str]:
        """Add the keys that these systems need and that are not there yet; returns them."""
        if new := self.new_keys(system_ids, instance):
            instance.add_dynamic_partitions(SYSTEMS, new)
        return new

    def members(self, keys: Iterable[str], fleet: Iterable[str]) -> Mapping[Key, dg.MultiPartitionKey]:
        """The intervals behind these partition keys, each with its key. `fleet`: the systems that buckets hold."""
        by_bucket: dict[str, list[str]] = {}
        for system_id in fleet if self.buckets else ():
            by_bucket.setdefault(self.system_key(system_id), []).append(system_id)
        found = {}
        for key in keys:
            label, _, name = key.partition("|")
            for system_id in by_bucket.get(name, []) if self.buckets else [decoded(name)]:
                interval = Interval.parse(label)
                found[system_id, interval] = self.key(system_id, interval)
        return found

    def key(self, system_id: str, interval: Interval) -> dg.MultiPartitionKey:
        """The key of the partition that holds this interval of this system."""
        dimension = MONTH if interval.kind is IntervalKind.MONTH else DAY
        return dg.MultiPartitionKey({dimension: interval.label, SYSTEMS: self.system_key(system_id)})

    def holds(self, interval: Interval) -> bool:
        """Whether the day or month has a partition: those before the start have none."""
        return interval.last_day >= date.fromisoformat(self.start)

    def window(self, first_label: str, last_label: str, keys: Sequence[str]) -> dict[str, str]:
        """The tags of a run over a whole rectangle: these labels, and the systems from the first key to the last."""
        return {RANGE_START: f"{first_label}|{keys[0]}", RANGE_END: f"{last_label}|{keys[-1]}"}


def encoded(system_id: str) -> str:
    """A system's id as a key: percent-encoded outside A–Z a–z 0–9 . _ -

    Dots in a row are encoded too: Dagster reads `...` as a range.
    """
    quoted = quote(system_id, safe="", errors="surrogatepass").replace("~", "%7E")
    return quoted.replace("..", "%2E%2E")


def decoded(key: str) -> str:
    """The system's id."""
    return unquote(key, errors="surrogatepass")
