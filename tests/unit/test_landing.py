"""Landing: whole segments or none, exact bytes once, a receipt for every look."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import hem_etl
import hem_etl.landing.store
import hem_etl.landing.writer
from hem_etl.answer import Answer
from hem_etl.errors import LandingError
from hem_etl.landing import FORMAT, SEGMENT_SCHEMA, Landing, open_landing
from hem_etl.landing.writer import SEGMENT_SECONDS
from hem_etl.local_day import Interval
from hem_etl.settings import GivenSettings
from hem_etl.vocabulary import Outcome

AT = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY = Answer(
    "day", "home/../1", Interval.parse("2026-03-28"), 0, None, AT, 120, 1, 200, None, None, b'{"timeseries": {}}'
)
KEY = "home/../1", Interval.parse("2026-03-28")


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def test_bytes_come_back_exactly_and_receipts_carry_the_facts(landing: Landing) -> None:
    body = b"\x00\xff not even text \r\n"
    with landing.writer() as writer:
        writer.add(replace(DAY, body=body, outcome=Outcome.REFUSED, http_status=400, detail="why"))
    (row,) = landing.read_receipts(landing.segments())
    assert (row.system_id, row.interval, row.http_status) == ("home/../1", Interval.parse("2026-03-28"), 400)
    assert (row.outcome, row.detail, row.fetched_at_utc) == ("refused", "why", AT.replace(tzinfo=None))
    assert landing.read_bodies([row.body_sha256]) == {sha256(body): body}


def test_the_same_body_is_kept_once_but_every_look_has_its_receipt(landing: Landing) -> None:
    with landing.writer() as writer:
        writer.add(DAY)
        writer.add(replace(DAY, fetched_at=AT + timedelta(hours=1)))
    with landing.writer() as writer:
        writer.add(replace(DAY, fetched_at=AT + timedelta(hours=2)))
    receipts = landing.read_receipts(landing.segments())
    assert len(receipts) == 3
    assert len({receipt.body_sha256 for receipt in receipts}) == 1
    kept = [pl.read_parquet(landing.folder / segment)["body"].to_list() for segment in landing.segments()]
    assert kept == [[DAY.body, None], [None]]


def test_a_look_without_a_body_is_a_receipt_too(landing: Landing) -> None:
    with landing.writer() as writer:
        writer.add(replace(DAY, body=None, http_status=None, outcome=Outcome.UNREACHABLE))
    assert [receipt.body_sha256 for receipt in landing.read_receipts(landing.segments())] == [None]


def test_receipts_come_in_the_order_of_time_whatever_the_order_of_landing(landing: Landing) -> None:
    for hours in (3, 1, 2):
        with landing.writer() as writer:
            writer.add(replace(DAY, fetched_at=AT + timedelta(hours=hours)))
    times = [receipt.fetched_at_utc for receipt in landing.read_receipts(landing.segments())]
    assert times == sorted(times)
    assert landing.segments() == sorted(landing.segments())


def test_receipts_of_one_interval_are_found_across_segments(landing: Landing) -> None:
    for hours in range(3):
        with landing.writer() as writer:
            writer.add(replace(DAY, fetched_at=AT + timedelta(hours=hours)))
            writer.add(replace(DAY, system_id="other"))
    assert len(landing.read_receipts_of([KEY])) == 3


def test_a_segment_is_written_when_it_is_large_or_old(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hem_etl.landing.writer, "SEGMENT_BYTES", 10)
    now = [0.0]
    writer = landing.writer(monotonic=lambda: now[0])
    writer.add(replace(DAY, body=b"tiny"))
    assert landing.segments() == []
    writer.add(replace(DAY, body=b"0123456789"))
    assert len(landing.segments()) == 1
    writer.add(replace(DAY, body=b"late"))
    now[0] += SEGMENT_SECONDS
    writer.flush_if_old()
    assert len(landing.segments()) == 2
    assert sorted(writer.segments) == landing.segments()


def test_a_failed_write_raises_and_keeps_what_waits(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    writer = landing.writer()
    writer.add(DAY)
    with monkeypatch.context() as patched:
        patched.setattr(hem_etl.landing.writer.os, "fsync", full_disk)
        with pytest.raises(LandingError, match="No space left"):
            writer.flush()
    assert list(landing.folder.iterdir()) == []
    writer.flush()
    assert len(landing.segments()) == 1


@pytest.mark.parametrize(
    ("given", "named"),
    [({"HEM_ETL_HOME": "file"}, "HEM_ETL_HOME"), ({"HEM_ETL_LANDING": "file/landing"}, "HEM_ETL_LANDING")],
)
def test_a_folder_that_cannot_be_used_names_the_setting_that_says_where_it_is(
    given: dict[str, str], named: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    settings = GivenSettings(**{name: str(tmp_path / place) for name, place in given.items()})
    with pytest.raises(LandingError, match=f"let {named} name another place"):
        open_landing(settings).writer()


def test_what_a_killed_writer_left_is_not_a_segment(landing: Landing) -> None:
    landing.folder.mkdir()
    (landing.folder / ".20260329T120000000000Z-aa.parquet.tmp").write_bytes(b"half")
    assert landing.segments() == []


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"PAR1" + b[4:-4] + b"xxxx"])
def test_a_damaged_segment_is_an_error_that_says_what_to_do(landing: Landing, damage: Callable[[bytes], bytes]) -> None:
    for day in range(3):
        with landing.writer() as writer:
            writer.add(replace(DAY, fetched_at=DAY.fetched_at + timedelta(days=day)))
    name = landing.segments()[1]
    path = landing.folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LandingError, match=f"^{name} in .* Restore it from a backup, or move it away"):
        landing.read_receipts(landing.segments())


def test_a_damaged_body_is_an_error_that_names_its_segment(landing: Landing) -> None:
    for day in range(3):
        with landing.writer() as writer:
            writer.add(replace(DAY, body=b"%d" % day, fetched_at=DAY.fetched_at + timedelta(days=day)))
    name = landing.segments()[1]
    rows = pl.read_parquet(landing.folder / name)
    rows.with_columns(body=pl.lit(b"other bytes")).write_parquet(landing.folder / name)
    with pytest.raises(LandingError, match=f"^{name} in .*the body .* is damaged"):
        landing.read_bodies([sha256(b"%d" % day) for day in range(3)])


def test_a_mark_that_names_no_instant_is_an_error_that_says_what_to_do(landing: Landing) -> None:
    with landing.writer() as writer:
        writer.add(DAY)
    (segment,) = landing.segments()
    landing.distrust(segment, datetime(2026, 3, 29))
    (landing.folder / f"{segment}.distrusted").write_text("")
    with pytest.raises(LandingError, match=f"{segment}.distrusted in .* remove it"):
        landing.read_receipts([segment])


def test_a_body_that_landing_never_kept_is_an_error(landing: Landing) -> None:
    with landing.writer() as writer:
        writer.add(DAY)
    with pytest.raises(LandingError, match="lacks a body"):
        landing.read_bodies(["0" * 64])


def test_bodies_are_found_in_more_segments_than_are_read_at_once(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hem_etl.landing.store, "SEGMENTS_AT_ONCE", 2)
    bodies = [b"%d" % number for number in range(5)]
    for body in bodies:
        with landing.writer() as writer:
            writer.add(replace(DAY, body=body))
    wanted = {sha256(body): body for body in bodies[::2]}
    assert landing.read_bodies(wanted, likely=landing.segments()) == wanted
    assert landing.read_bodies(wanted) == wanted


def test_an_empty_landing_answers_with_nothing(landing: Landing) -> None:
    assert landing.segments() == []
    assert landing.read_receipts([]) == []
    assert landing.read_bodies([]) == {}


def test_kept_bodies_are_found_in_their_segment_and_weighed_against_their_hash(tmp_path: Path) -> None:
    landing = Landing(tmp_path / "landing")
    assert landing.find_bodies({"anything"}) == {}
    first, second = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()
    rows = [
        {"kind": "day", "body_sha256": first, "is_body_here": True, "body": b"one"},
        {"kind": "day", "body_sha256": second, "is_body_here": True, "body": b"other bytes"},
        {"kind": "day", "body_sha256": "0" * 64, "is_body_here": False, "body": None},
    ]
    landing.folder.mkdir()
    pl.DataFrame(rows, schema=SEGMENT_SCHEMA).write_parquet(landing.folder / "a.parquet")
    assert landing.find_bodies({first, second, "0" * 64}) == {first: ("a.parquet", True), second: ("a.parquet", False)}


def put(landing: Landing, **changes: object) -> None:
    """A segment of one receipt as another version might have written it: columns changed, added or (None) left out."""
    with landing.writer() as writer:
        writer.add(DAY)
    (name,) = landing.segments()
    row = pl.read_parquet(landing.folder / name)
    gone = [column for column, value in changes.items() if value is None]
    added = {column: value for column, value in changes.items() if value is not None}
    row.drop(gone).with_columns(
        **{c: v if isinstance(v, pl.Expr) else pl.lit(v) for c, v in added.items()}
    ).write_parquet(landing.folder / name)


def test_a_segment_carries_its_format_and_who_wrote_it(landing: Landing) -> None:
    put(landing)
    row = pl.read_parquet(landing.folder / landing.segments()[0])
    assert row.select("format", "written_by").row(0) == (FORMAT, hem_etl.__version__)


def test_a_column_that_an_older_format_lacks_is_null(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    put(landing, format=None, written_by=None)
    added = pl.Schema({**hem_etl.landing.RECEIPT_SCHEMA, "delivery_id": pl.String()})
    monkeypatch.setattr(hem_etl.landing.store, "RECEIPT_SCHEMA", added)
    monkeypatch.setattr(hem_etl.landing.store, "SEGMENT_SCHEMA", pl.Schema({**SEGMENT_SCHEMA, **added}))
    assert landing._read(landing.segments(), pl.lit(True), "delivery_id")["delivery_id"].to_list() == [None]
    (row,) = landing.read_receipts(landing.segments())
    assert (row.kind, row.system_id) == ("day", DAY.system_id)
    assert landing.read_bodies([row.body_sha256]) == {row.body_sha256: DAY.body}


NEWER = {"format": pl.lit(FORMAT + 1, pl.Int16()), "written_by": "9.1.0"}


@pytest.mark.parametrize(
    "changes",
    [
        NEWER,
        NEWER | {"delivery_id": "d1"},
        NEWER | {"kind": "event"},
        NEWER | {"interval": pl.lit(AT.date())},
        NEWER | {"page": None},
    ],
    ids=["nothing else", "a column more", "a kind more", "a column of another type", "a column less"],
)
def test_a_segment_of_a_newer_format_is_refused_with_the_version_to_install(
    landing: Landing, changes: dict[str, object]
) -> None:
    put(landing, **changes)
    for read in (
        lambda: landing.read_receipts(landing.segments()),
        lambda: landing.read_receipts_of([KEY]),
        lambda: landing.writer(),
        lambda: landing.find_bodies([sha256(DAY.body or b"")]),
    ):
        with pytest.raises(LandingError, match=r"newer format.* install hem_etl 9\.1\.0 or newer") as told:
            read()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("changes", [{"written_by": "9.1.0"}, {"format": None, "written_by": None}])
def test_a_kind_that_nobody_here_knows_is_refused(landing: Landing, changes: dict[str, object]) -> None:
    put(landing, kind="event", **changes)
    with pytest.raises(LandingError, match="kind 'event'.* install"):
        landing.read_receipts(landing.segments())


def test_a_parquet_file_that_is_no_segment_is_damaged_and_not_full_of_nulls(landing: Landing) -> None:
    landing.folder.mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(landing.folder / "a.parquet")
    with pytest.raises(LandingError, match=r"a\.parquet .*no receipt"):
        landing.read_receipts(landing.segments())
