"""The index of landing says what the segments say, whatever is missing, torn, killed, or moved away."""

import hashlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from tiers import swept

from hem_etl.answer import Answer, Kind
from hem_etl.errors import LandingError
from hem_etl.landing import Landing
from hem_etl.landing import index as index_module
from hem_etl.landing.index import FILE
from hem_etl.local_day import Interval

AT = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY = Answer(Kind.DAY, "home", Interval.parse("2026-03-28"), 0, None, AT, 120, 1, 200, None, None, b"day")
KEY = "home", Interval.parse("2026-03-28")
LIST = replace(DAY, kind=Kind.SYSTEMS, system_id=None, interval=None, body=b"list")
CORRECTIONS = replace(LIST, kind=Kind.OVERRIDES, body=b"corrections")
SEGMENTS = 12


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """Segments of two answers each; the index covers all but the last."""
    landing = Landing(tmp_path / "landing")
    for number in range(SEGMENTS):
        land(landing, day(number), replace(LIST, body=b"list %d" % number, fetched_at=AT + timedelta(hours=number)))
    return landing


def land(landing: Landing, *answers: Answer) -> str:
    with landing.writer() as writer:
        for answer in answers:
            writer.add(answer)
    return writer.segments[0]


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def day(number: int) -> Answer:
    """Every third is of the same interval."""
    interval = Interval.parse(f"2026-03-{1 + number % 3:02d}")
    return replace(DAY, interval=interval, body=b"day %d" % number, fetched_at=AT + timedelta(hours=number))


def index_file(landing: Landing) -> Path:
    return landing.folder / FILE


def said(landing: Landing) -> dict[str, object]:
    """Everything that is looked up by the index."""
    bodies = [answer.body or b"" for answer in (*map(day, range(SEGMENTS)), *(day(99),))]
    keys = [(KEY[0], Interval.parse(f"2026-03-{number:02d}")) for number in range(1, 6)]
    return {
        "receipts": landing.read_receipts_of(keys[:2]),
        "lists": landing.read_receipts(landing.segments(), Kind.SYSTEMS),
        "corrections": landing.read_receipts(landing.segments(), Kind.OVERRIDES),
        "kept": landing.find_bodies([sha256(body) for body in bodies]),
    }


def from_the_segments(landing: Landing) -> dict[str, object]:
    """The same where there is no index."""
    index_file(landing).rename(index_file(landing).with_suffix(".aside"))
    try:
        return said(landing)
    finally:
        index_file(landing).with_suffix(".aside").rename(index_file(landing))


def remove(landing: Landing) -> None:
    index_file(landing).unlink()


def tear(landing: Landing) -> None:
    index_file(landing).write_bytes(b"SQLite format 3\x00" + b"\xff" * 5_000)


def cut(landing: Landing) -> None:
    whole = index_file(landing).read_bytes()
    index_file(landing).write_bytes(whole[: len(whole) // 2])


def empty(landing: Landing) -> None:
    index_file(landing).write_bytes(b"")


def be_of_another_version(landing: Landing) -> None:
    with sqlite3.connect(index_file(landing)) as file:
        file.execute("pragma user_version = 99")
        file.execute("drop table receipt")
    file.close()


def be_of_an_older_state(landing: Landing) -> None:
    older = index_file(landing).read_bytes()
    for number in range(SEGMENTS, SEGMENTS + 3):
        land(landing, day(number))
    index_file(landing).write_bytes(older)


def nothing(landing: Landing) -> None:
    pass


@pytest.mark.parametrize("happens", [nothing, remove, tear, cut, empty, be_of_another_version, be_of_an_older_state])
def test_answers_do_not_depend_on_the_index_and_it_is_made_again(
    landing: Landing, happens: Callable[[Landing], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(landing)
    expected = said(Landing(landing.folder))
    land(landing, CORRECTIONS)
    landing.cover()
    after = said(landing)

    assert after["receipts"] == expected["receipts"] != []
    assert after["kept"] == expected["kept"]
    assert after == from_the_segments(landing)
    # no segment is left to be looked through
    assert landing._index.uncovered(landing.segments()) == set()


def test_only_the_segments_that_hold_what_is_asked_are_read(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.cover()
    read: list[str] = []
    whole = Landing._read

    def noted(self: Landing, segments: list[str], *rest: object) -> object:
        read.extend(segments)
        return whole(self, segments, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Landing, "_read", noted)
    landing.read_receipts_of([(KEY[0], Interval.parse("2026-03-01"))])
    assert len(read) == SEGMENTS // 3
    read.clear()
    landing.find_bodies([sha256(b"day 5")])
    landing.read_bodies([sha256(b"day 5")])
    land(landing, day(5))
    assert len(read) == 2
    read.clear()
    landing.read_receipts(landing.segments(), Kind.OVERRIDES)
    assert len(read) == 1, "the one that is not covered yet"


def test_a_segment_that_holds_nothing_is_looked_at_once(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = pl.read_parquet(landing.folder / landing.segments()[0]).clear()
    empty.write_parquet(landing.folder / "20200101T000000000000Z-00000000.parquet")
    landing.cover()
    monkeypatch.setattr(pl, "scan_parquet", lambda *_, **__: pytest.fail("no segment is to be read"))
    landing.cover()
    assert landing.read_receipts_of({("nobody", Interval.parse("2020-01-01"))}) == []


def test_bytes_are_kept_once_over_all_segments_and_again_when_their_segment_is_gone(landing: Landing) -> None:
    again = land(landing, replace(day(5), fetched_at=AT + timedelta(days=9)))
    (kept,) = landing.find_bodies([sha256(b"day 5")]).values()
    assert kept[0] != again
    (landing.folder / kept[0]).unlink()
    restored = land(landing, replace(day(5), fetched_at=AT + timedelta(days=10)))

    assert landing.find_bodies([sha256(b"day 5")]) == {sha256(b"day 5"): (restored, True)}
    landing.cover()
    assert said(landing) == from_the_segments(landing)


def test_a_segment_that_is_moved_away_is_no_answer(landing: Landing) -> None:
    landing.cover()
    gone = landing.segments()[0]
    (landing.folder / gone).rename(landing.folder.parent / gone)

    assert gone not in {receipt.segment for receipt in landing.read_receipts_of([(KEY[0], day(0).interval)])}  # type: ignore[list-item]
    assert landing.find_bodies([sha256(b"day 0")]) == {}
    (landing.folder.parent / gone).rename(landing.folder / gone)
    assert landing.find_bodies([sha256(b"day 0")]) == {sha256(b"day 0"): (gone, True)}


KILLED: Final = """
import os, sqlite3, sys
from pathlib import Path
from hem_etl.landing import Landing, index

connect, steps = sqlite3.connect, 0

def counting(*args, **options):
    def step():
        global steps
        steps += 1
        if steps > int(sys.argv[2]):
            os._exit(9)
        return 0
    opened = connect(*args, **options)
    opened.set_progress_handler(step, 7)
    return opened

index.sqlite3.connect = counting
Landing(Path(sys.argv[1])).cover()
"""


HALF_WRITTEN: Final = """
import os, sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("pragma cache_size = 1")
file.execute("begin immediate")
file.execute("delete from receipt")
for number in range(3000):
    file.execute("insert into receipt values (?, 0, 'day', 'x', '2026-03-01', 'y')", [number])
os._exit(9)
"""


def test_what_a_killed_process_left_half_written_is_taken_back(landing: Landing) -> None:
    landing.cover()
    journal = index_file(landing).with_name(f"{FILE}-journal")
    subprocess.run([sys.executable, "-c", HALF_WRITTEN, str(index_file(landing))], check=False)
    assert journal.stat().st_size
    expected = from_the_segments(landing)
    assert said(landing) == expected
    assert journal.stat().st_size, "reading takes nothing back"
    land(landing, CORRECTIONS)
    landing.cover()

    assert not journal.exists()
    assert landing._index.uncovered(landing.segments()) == set()
    assert said(landing) | {"corrections": []} == expected


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_old_index_or_the_new_one(landing: Landing) -> None:
    remove(landing)
    steps, code = 0, 9
    while code == 9:
        killed = [sys.executable, "-c", KILLED, str(landing.folder), str(steps)]
        code = subprocess.run(killed, check=False).returncode
        if index_file(landing).exists():
            assert said(landing) == from_the_segments(landing), steps
        steps += 12
    assert (code, steps > 60) == (0, True)
    assert landing._index.uncovered(landing.segments()) == set()


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("statement", swept(zip(range(20)), 4))
def test_a_failure_at_any_statement_leaves_the_old_index_or_the_new_one(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, statement: int, has_index: bool
) -> None:
    connect = sqlite3.connect
    begun: list[str] = []

    def failing(*args: Any, **options: Any) -> sqlite3.Connection:
        opened = connect(*args, **options)
        opened.set_trace_callback(begun.append)
        opened.set_progress_handler(lambda: len(begun) > statement, 1)
        return opened

    if not has_index:
        remove(landing)
    with monkeypatch.context() as patched:
        patched.setattr(index_module.sqlite3, "connect", failing)
        landing.cover()
    if index_file(landing).exists():
        assert said(landing) == from_the_segments(landing)
    landing.cover()
    assert said(landing) == from_the_segments(landing)
    assert landing._index.uncovered(landing.segments()) == set()


def test_a_folder_that_cannot_be_written_is_read_all_the_same(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    remove(landing)
    expected = said(landing)

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    with monkeypatch.context() as patched:
        patched.setattr(index_module.sqlite3, "connect", refused)
        landing.cover()
        assert said(landing) == expected
    assert "looking in the segments" in caplog.text


def test_a_segment_of_a_newer_format_stops_the_index_and_is_not_covered(landing: Landing) -> None:
    (landing.folder / "20990101T000000000000Z-00000000.parquet").write_bytes(b"no parquet")
    with pytest.raises(LandingError, match="cannot be read"):
        landing.cover()
    assert landing._index.uncovered(landing.segments()) >= {"20990101T000000000000Z-00000000.parquet"}


def test_any_order_of_events_ends_in_what_the_segments_say(tmp_path: Path) -> None:
    chance = random.Random(4)
    landing = Landing(tmp_path / "landing")
    for step in range(60):
        event = chance.choice([land, land, land, Landing.cover, remove, cut, be_of_an_older_state, "gone"])
        names = landing.segments()
        if event is land:
            land(landing, day(chance.randrange(SEGMENTS)), CORRECTIONS if step % 7 == 0 else LIST)
        elif event == "gone" and names:
            (landing.folder / chance.choice(names)).unlink()
        elif callable(event) and index_file(landing).exists():
            event(landing)
        if index_file(landing).exists():
            assert said(landing) == from_the_segments(landing), step
