"""What a daily run of a fleet takes, computed from pieces that were measured. Arithmetic alone: nothing is run here."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Final

import worlds

from hem_etl.landing.writer import SEGMENT_BYTES, SEGMENT_SECONDS
from hem_etl.local_day import Interval, naive_utc, newest_day_over
from hem_etl.pipeline.batches import SEGMENTS_PER_TRANSACTION
from hem_etl.pipeline.ledger import Entry, is_due
from hem_etl.vocabulary import Outcome

A_SYSTEM: Final = "a system"
FIRST_RUN: Final = datetime(2026, 4, 1, 13, 15, tzinfo=UTC)
"""At the hour of the schedule `daily`, and long before June, whose runs are counted."""
DAYS_OF_A_YEAR: Final = 365


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is not measured. Change it here, and the tables follow."""

    answer_seconds: float = 10
    """From a vendor, by way of Enode."""
    in_flight: int = 256
    """HEM_ETL_MAX_IN_FLIGHT of each place: the most that may be set."""
    window_hours: float = 3
    """In which all is asked."""
    writes_of_a_day: float = 2
    """How often a system-day comes with content that the tables do not hold: at the first look, and once more."""
    body_bytes: float = 55_000
    """Of an answer about a day, as the simulator's homes send it on the mean."""
    buckets_of_a_place: int = 4
    runs_of_a_bucket: int = 3
    runs_without_buckets: int = 4
    openings_of_a_run: int = 2
    """To plan, and to load what was asked: each is a load, the first of nothing."""
    settle_days: int = 7
    copied_bytes_of_a_second: float = 500e6
    """By a disk, of the published file."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What was measured of an engine, in CPU-seconds of all processes unless it says otherwise."""

    prepare_day: float
    """A body → frames, for each system-day."""
    load_of_nothing: float
    """Opening included."""
    transaction: float
    """Its fixed part, without an opening."""
    commit_new: float
    """For each system-day more in a transaction."""
    commit_again: float
    """The same where the tables hold other values of it."""
    look_again: float
    """For each look that brings what the tables hold, its share of a transaction of many of them included."""
    transaction_per_home: float
    """How much more of a transaction's fixed part, for each home of the fleet."""
    publish: float
    """All models, all checks, published: its fixed part."""
    publish_per_day: float
    """For each system-day in the tables."""
    table_bytes: float
    """Bytes of a system-day in the tables."""
    landed_bytes: float
    """Bytes of an answer in landing."""
    is_copied: bool
    """Whether a publish copies the tables."""


@dataclass(frozen=True, slots=True)
class Day:
    """A daily run of a fleet after a year. Seconds are of one core; `locked` is what cannot be divided."""

    homes: int
    requests: float
    requests_per_second: float
    in_flight: float
    places: int
    prepare_seconds: float
    runs: int
    transactions: int
    commit_seconds: float
    publish_seconds: float
    copy_seconds: float
    landed_bytes_of_a_year: float
    table_bytes_of_a_year: float

    @property
    def locked_seconds(self) -> float:
        """Under the writer's lock, one after the other."""
        return self.commit_seconds + self.publish_seconds + self.copy_seconds


def day_of(homes: int, pieces: Pieces, assumed: Assumed = Assumed()) -> Day:
    requests = homes * requests_of_a_home(assumed.settle_days)
    rate = requests / (assumed.window_hours * 3600)
    in_flight = rate * assumed.answer_seconds
    places = ceil(in_flight / assumed.in_flight)
    buckets = places * assumed.buckets_of_a_place if places > 1 else 0
    runs = buckets * assumed.runs_of_a_bucket or assumed.runs_without_buckets
    looks_of_a_segment = min(SEGMENT_SECONDS * rate / places, SEGMENT_BYTES / assumed.body_bytes)
    transactions = max(runs, ceil(requests / (looks_of_a_segment * SEGMENTS_PER_TRANSACTION)))
    again = homes * (assumed.writes_of_a_day - 1)
    system_days = homes * DAYS_OF_A_YEAR
    table_bytes = system_days * pieces.table_bytes
    return Day(
        homes=homes,
        requests=requests,
        requests_per_second=rate,
        in_flight=in_flight,
        places=places,
        prepare_seconds=homes * assumed.writes_of_a_day * pieces.prepare_day,
        runs=runs,
        transactions=transactions,
        commit_seconds=runs * assumed.openings_of_a_run * pieces.load_of_nothing
        + transactions * (pieces.transaction + homes * pieces.transaction_per_home)
        + homes * pieces.commit_new
        + again * pieces.commit_again
        + (requests - homes * assumed.writes_of_a_day) * pieces.look_again,
        publish_seconds=pieces.publish + system_days * pieces.publish_per_day,
        copy_seconds=table_bytes / assumed.copied_bytes_of_a_second if pieces.is_copied else 0.0,
        landed_bytes_of_a_year=system_days * assumed.writes_of_a_day * pieces.landed_bytes,
        table_bytes_of_a_year=table_bytes,
    )


def requests_of_a_home(settle_days: int) -> float:
    """Requests of a daily run for one home, on the mean of a month, by the ledger's own rule of what is due.

    Each look brings an answer; the home is in UTC.
    """
    entries: dict[Interval, Entry] = {}
    asked: dict[date, int] = {}
    for number in range(100):
        now = FIRST_RUN + timedelta(days=number)
        yesterday = newest_day_over(now)
        for interval in (Interval.of_day(yesterday), Interval.of_month(yesterday)):
            entries.setdefault(interval, Entry(A_SYSTEM, interval))
        for interval, entry in entries.items():
            if entry.outcome is None or is_due(entry, naive_utc(now)):
                look = worlds.look_of(A_SYSTEM, interval, naive_utc(now), f"{number}")
                entries[interval] = entry.after_answer(look, Outcome.LOADED, None, "UTC", settle_days)
                asked[now.date()] = asked.get(now.date(), 0) + 1
    june = [asked.get(date(2026, 6, day), 0) for day in range(1, 31)]
    return sum(june) / len(june)
