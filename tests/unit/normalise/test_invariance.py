"""The frames do not depend on the machine: its time zone, its threads, or what else is read in the same batch."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hem_etl.local_day import Interval
from hem_etl.normalise import Body, day_energy, quarter_hours, read_days
from hem_etl.normalise.axes import calendar_of

from . import reference
from .bodies import LATER, changes, random_timeseries

TESTS = Path(__file__).parents[2]
ZONES = ("Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe")


def some_bodies() -> list[Body]:
    """Days around clock changes, of every resolution, with every oddity, and some of one system in a row."""
    draw, bodies = Random(7), []
    for number, minutes in enumerate((1, 5, 10, 15, 30, 60, 5, 15)):
        zone, day = draw.choice(changes())
        for offset in (0, 1):
            of_day = day + timedelta(days=offset)
            timeseries = random_timeseries(draw.randrange(2**32), of_day, zone, dict.fromkeys(reference.WIRE, minutes))
            raw = json.dumps({"timeseries": timeseries}).encode()
            bodies.append(Body(f"s{number}", Interval.of_day(of_day), raw, LATER, None))
    return bodies


def frames(bodies: list[Body]) -> dict[str, pl.DataFrame]:
    """Read as if for the first time: nothing remembered of a batch before."""
    calendar_of.cache_clear()
    days = read_days(bodies, over_limit_kw=50.0)
    quarters = quarter_hours(days)
    own = {name: getattr(days, name) for name in ("readings", "series", "findings", "days", "odd_stamps")}
    return {**own, "quarters": quarters, "day_energy": day_energy(days, quarters)}


def digest() -> str:
    """Every value to its last bit: a float is spelt by the shortest text that gives it back."""
    made = frames(some_bodies())
    return hashlib.sha256(repr([made[name].rows() for name in sorted(made)]).encode()).hexdigest()


def sorted_rows(frame: pl.DataFrame) -> pl.DataFrame:
    keys = [key for key in ("day", "system_id", "start_utc", "metric", "rule", "example") if key in frame.columns]
    return frame.sort(keys, nulls_last=True, maintain_order=True)


@pytest.fixture
def zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def test_no_frame_follows_the_time_zone_of_the_machine(zone_of_the_machine: pytest.MonkeyPatch) -> None:
    seen = set()
    for zone in ZONES:
        zone_of_the_machine.setenv("TZ", zone)
        time.tzset()
        seen.add((time.timezone, digest()))
    assert len(seen) == len(ZONES), "the zone of the machine was not changed at all"
    assert len({each for _, each in seen}) == 1


@pytest.mark.slow
def test_no_frame_follows_the_number_of_threads() -> None:
    program = "from unit.normalise.test_invariance import digest; print(digest())"
    seen = {digest()}
    for threads in ("1", "4"):
        path = os.pathsep.join((str(TESTS), str(TESTS.parent)))
        environment = {**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONPATH": path}
        command = [sys.executable, "-c", program]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        seen.add(run.stdout.strip())
    assert len(seen) == 1


@pytest.mark.parametrize("seed", range(2))
def test_no_frame_follows_the_split_of_the_batch_or_its_order(seed: int) -> None:
    bodies = some_bodies()
    together = frames(bodies)
    Random(seed).shuffle(bodies)
    shuffled = frames(bodies)
    alone = [frames([body]) for body in bodies]
    for name, whole in together.items():
        assert_frame_equal(sorted_rows(shuffled[name]), sorted_rows(whole), check_exact=True)
        assert_frame_equal(sorted_rows(pl.concat([each[name] for each in alone])), sorted_rows(whole), check_exact=True)
