"""Landing in a bucket: the same looks as in a folder, nothing lost where the store fails, nothing ever replaced."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import LocalStore, MemoryStore

from hem_etl.answer import Answer, Kind
from hem_etl.errors import LandingError, SettingsError, UsageError
from hem_etl.landing import Landing, copy_landing, open_landing, open_place, waiting_segments
from hem_etl.landing.bucket import Bucket, open_bucket
from hem_etl.landing.places import Folder, Place
from hem_etl.local_day import Interval
from hem_etl.settings import GivenSettings

AT = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY = Answer(Kind.DAY, "home", Interval.parse("2026-03-28"), 0, None, AT, 250, 1, 200, None, None, b'{"a": 1}')
KEYS = {"HEM_ETL_S3_ACCESS_KEY_ID": "k3y-id", "HEM_ETL_S3_SECRET_ACCESS_KEY": "s3cr'et"}
UNAVAILABLE = "Generic S3 error: … status code: 503 Service Unavailable: <Error><Code>SlowDown</Code><Key>k3y-id</Key>"


class Failing:
    """A store that fails as it is told, before or after what it was asked is done."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.asked: list[str] = []

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def asked(*arguments: Any, **options: Any) -> Any:
            self.asked.append(" ".join([verb, *map(str, arguments[:1])]))
            if self.before is not None:
                raise self.before
            answer = getattr(self.store, verb)(*arguments, **options)
            if self.after is not None:
                raise self.after
            return answer

        return asked


@pytest.fixture
def store() -> Failing:
    return Failing(MemoryStore())


@pytest.fixture
def machine(store: Failing, tmp_path: Path) -> Callable[[str], Landing]:
    """Landing as a machine of that name sees it."""
    return lambda name: Landing(bucket(store, tmp_path / name))


def bucket(store: Any, home: Path, name: str = "s3://homes/landing") -> Bucket:
    return Bucket(store, name, home / "cache", home / "outbox")


def land(landing: Landing, *answers: Answer) -> list[str]:
    with landing.writer() as writer:
        for answer in answers:
            writer.add(answer)
    return writer.segments


def looks(landing: Landing) -> list[Any]:
    return [replace(receipt, segment="") for receipt in landing.read_receipts(landing.segments())]


def names_in(store: Failing) -> list[str]:
    return sorted(found["path"] for found in store.store.list_with_delimiter()["objects"])


def content_of(store: Failing, name: str) -> bytes:
    return bytes(store.store.get(name).bytes())


def test_another_machine_reads_what_one_has_landed_as_from_a_folder(
    machine: Callable[[str], Landing], tmp_path: Path
) -> None:
    answers = [DAY, replace(DAY, system_id="other", body=b"{}"), replace(DAY, fetched_at=AT + timedelta(hours=1))]
    folder = Landing(tmp_path / "folder")
    one, other = machine("one"), machine("other")
    for landing in (folder, one):
        land(landing, *answers[:2])
        land(landing, answers[2])
    receipts = looks(folder)
    assert looks(one) == looks(other) == receipts
    hashes = [str(receipt.body_sha256) for receipt in receipts]
    assert other.read_bodies(hashes) == folder.read_bodies(hashes)
    assert other.read_receipts_of([receipts[0].key]) == other.read_receipts(other.segments(), Kind.DAY)[::2]


def test_a_machine_has_an_index_from_its_first_load_on(
    machine: Callable[[str], Landing], store: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = land(machine("one"), DAY)
    (second,) = land(machine("one"), replace(DAY, body=b"{}", fetched_at=AT + timedelta(days=1)))
    other = machine("other")
    assert other.cover() == [first, second]
    assert caplog.messages == []
    (other.folder / second).unlink()
    store.asked.clear()
    (receipt,) = other.read_receipts([first])
    assert list(other.find_bodies([str(receipt.body_sha256)])) == [receipt.body_sha256]
    assert store.asked == ["list_with_delimiter"]


def test_a_disk_that_refuses_is_told(machine: Callable[[str], Landing], tmp_path: Path) -> None:
    land(machine("one"), DAY)
    other = machine("other")
    (tmp_path / "other").write_text("no folder")
    for ask in (other.cover, other.writer, lambda: other.read_receipts(other.segments())):
        with pytest.raises(LandingError, match="HEM_ETL_HOME"):
            ask()


def test_a_body_that_another_machine_has_landed_is_not_kept_again(machine: Callable[[str], Landing]) -> None:
    land(machine("one"), DAY)
    (segment,) = land(machine("other"), replace(DAY, fetched_at=AT + timedelta(days=1)))
    third = machine("third")
    (receipt,) = third.read_receipts([segment])
    assert third.find_bodies([str(receipt.body_sha256)]) == {receipt.body_sha256: (third.segments()[0], True)}


def test_a_segment_is_asked_for_once_and_again_where_the_cache_is_gone(
    machine: Callable[[str], Landing], store: Failing
) -> None:
    (segment,) = land(machine("one"), DAY)
    other = machine("other")
    for _ in range(2):
        other.read_receipts([segment])
    assert store.asked.count(f"get {segment}") == 1
    for file in other.folder.iterdir():
        file.unlink()
    assert len(looks(other)) == 1
    assert store.asked.count(f"get {segment}") == 2


def test_where_what_was_read_is_damaged_the_copy_is_to_be_removed_and_not_the_segment(
    machine: Callable[[str], Landing],
) -> None:
    (segment,) = land(machine("one"), DAY)
    other = machine("other")
    other.read_receipts([segment])
    (other.folder / segment).write_bytes(b"")
    with pytest.raises(LandingError, match=f"First remove {other.folder / segment}"):
        other.read_receipts([segment])
    (other.folder / segment).unlink()
    assert len(looks(other)) == 1


def test_a_cache_on_another_disk_is_filled_from_the_bucket(
    machine: Callable[[str], Landing], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(source), None, str(target))

    monkeypatch.setattr(Path, "replace", refused)
    one = machine("one")
    (segment,) = land(one, DAY)
    assert not list(one.place.outbox.iterdir())
    assert not (one.folder / segment).exists()
    assert len(looks(one)) == 1


def test_what_cannot_be_sent_waits_on_the_disk_and_the_next_run_sends_it(
    machine: Callable[[str], Landing], store: Failing
) -> None:
    one = machine("one")
    writer = one.writer()
    writer.add(DAY)
    store.before = GenericError(UNAVAILABLE)
    with pytest.raises(LandingError, match="503 Service Unavailable, SlowDown.*the next run sends it") as told:
        writer.flush()
    assert "k3y-id" not in f"{told.value}{told.value.__cause__}"
    assert writer.segments == []
    (waits,) = one.place.outbox.iterdir()
    with pytest.raises(LandingError, match="SlowDown"):
        one.writer()
    store.before = None
    assert names_in(store) == []
    assert machine("one").cover() == [waits.name] == names_in(store)
    assert not waits.exists()
    assert len(looks(machine("other"))) == 1
    writer.flush()
    assert names_in(store) == [waits.name]


def test_a_segment_that_arrived_though_the_answer_was_lost_is_ours(
    machine: Callable[[str], Landing], store: Failing
) -> None:
    one = machine("one")
    writer = one.writer()
    writer.add(DAY)
    store.after = GenericError("the connection broke")
    with pytest.raises(LandingError, match="waits in"):
        writer.flush()
    store.after = None
    assert machine("one").cover() == names_in(store)
    assert len(names_in(store)) == 1
    assert not list(one.place.outbox.iterdir())


def test_another_segment_of_that_name_is_never_replaced_nor_is_ours_lost(
    machine: Callable[[str], Landing], store: Failing
) -> None:
    one = machine("one")
    writer = one.writer()
    writer.add(DAY)
    store.before = GenericError(UNAVAILABLE)
    with pytest.raises(LandingError):
        writer.flush()
    store.before = None
    (ours,) = one.place.outbox.iterdir()
    store.store.put(ours.name, b"another's")
    with pytest.raises(LandingError, match=f"keeps other bytes by the name {ours.name}"):
        machine("one").cover()
    assert content_of(store, ours.name) == b"another's"
    assert ours.exists()


def test_two_processes_of_one_machine_send_the_same_segment(machine: Callable[[str], Landing], store: Failing) -> None:
    one = machine("one")
    one.place.outbox.mkdir(parents=True)
    file = one.place.outbox / "20260329T120000000000Z-00000000.parquet"
    file.write_bytes(b"whole")
    store.store.put(file.name, b"whole")
    one.place.send()
    assert not file.exists()
    one.place.send()


KILLED = """
import os, signal, sys
from pathlib import Path
from obstore.store import LocalStore
from test_landing_bucket import DAY, bucket
from hem_etl.landing import Landing
home = Path(sys.argv[1])
landing = Landing(bucket(LocalStore(home / "store", mkdir=True), home))
writer = landing.writer()
writer.add(DAY)
landing.place.send = lambda: os.kill(os.getpid(), signal.SIGKILL)
writer.flush()
"""


def test_a_process_that_is_killed_before_it_sends_loses_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    landing = Landing(bucket(LocalStore(tmp_path / "store"), tmp_path))
    assert landing.segments() == []
    assert len(landing.cover()) == 1
    assert len(looks(landing)) == 1


def test_marks_are_seen_by_every_machine(machine: Callable[[str], Landing], store: Failing) -> None:
    one, other = machine("one"), machine("other")
    (early,) = land(one, DAY)
    (late,) = land(one, replace(DAY, fetched_at=AT + timedelta(days=1)))
    assert len(looks(other)) == 2
    one.distrust(late, AT.replace(tzinfo=None) + timedelta(hours=1))
    for landing in (one, other, machine("third")):
        assert landing.distrusted() == {late: datetime(2026, 3, 29, 13)}
        assert [receipt.segment for receipt in landing.read_receipts([early, late])] == [early]
    fresh = machine("fresh")
    fresh.distrust(early, AT.replace(tzinfo=None) - timedelta(hours=1))
    assert fresh.read_receipts([early, late]) == []
    store.asked.clear()
    other.segments()
    assert store.asked == [
        "list_with_delimiter",
        f"get {early}.distrusted",
        f"get {late}.distrusted",
    ]  # a store of this kind tells no MD5


def test_other_objects_are_no_segments(machine: Callable[[str], Landing], store: Failing) -> None:
    (segment,) = land(machine("one"), DAY)
    for name in ("notes.txt", ".hidden.parquet", "lake/data.parquet"):
        store.store.put(name, b"")
    assert machine("other").segments() == [segment]


def test_a_worker_that_knows_only_the_folder_finds_the_bodies_that_were_brought(
    machine: Callable[[str], Landing], store: Failing
) -> None:
    first = land(machine("one"), DAY)
    newest = land(machine("one"), replace(DAY, fetched_at=AT + timedelta(days=1)))
    other = machine("other")
    (receipt,) = other.read_receipts(newest)
    worker = Landing(other.folder)
    with pytest.raises(LandingError, match="lacks a body"):
        worker.read_bodies([str(receipt.body_sha256)], likely=newest)
    other.bring([str(receipt.body_sha256)])
    assert worker.read_bodies([str(receipt.body_sha256)], likely=newest) == {receipt.body_sha256: DAY.body}
    assert f"get {first[0]}" in store.asked


def test_the_doctor_finds_a_store_that_replaces_objects(machine: Callable[[str], Landing], store: Failing) -> None:
    one = machine("one")
    one.place.prove()
    one.place.prove()
    assert one.segments() == []

    class Careless(MemoryStore):
        def put(self, path: str, file: Any, **_: Any) -> Any:
            return super().put(path, file)

    with pytest.raises(LandingError, match="ignores If-None-Match"):
        bucket(Careless(), Path("unused")).prove()
    store.before = GenericError("status code: 403 Forbidden: <Code>AccessDenied</Code>")
    with pytest.raises(LandingError, match="403 Forbidden, AccessDenied.*HEM_ETL_S3_"):
        one.place.prove()


@pytest.fixture(params=["to a bucket", "to a folder", "between buckets"])
def places(request: pytest.FixtureRequest, tmp_path: Path, store: Failing) -> tuple[Place, Place]:
    """A source that holds three segments and a mark, and an empty target."""
    here, there = bucket(store, tmp_path / "one"), bucket(MemoryStore(), tmp_path / "two", "s3://others")
    source: Place = Folder(tmp_path / "from") if request.param == "to a bucket" else here
    landing = Landing(source)
    for hours in range(3):
        land(landing, replace(DAY, fetched_at=AT + timedelta(hours=hours)))
    landing.distrust(landing.segments()[1], datetime(2026, 3, 29, 12, 30))
    return source, Folder(tmp_path / "to") if request.param == "to a folder" else there


def test_a_copy_is_equal_and_may_be_repeated(places: tuple[Place, Place]) -> None:
    source, target = places
    told: list[tuple[int, int]] = []
    copied = copy_landing(source, target, lambda done, total: told.append((done, total)))
    assert (copied.segments, copied.marks, copied.copied, copied.is_equal) == (3, 1, 4, True)
    assert told == [(number, 4) for number in range(1, 5)]
    assert copied.segment_bytes == sum(len(source.read(name)) for name in Landing(source).segments())
    assert looks(Landing(target)) == looks(Landing(source))
    assert len(looks(Landing(target))) == 2
    assert "Both are equal" in str(copied)
    again = copy_landing(source, target)
    assert (again.segments, again.copied, again.is_equal) == (3, 0, True)
    assert again.segment_bytes == copied.segment_bytes


def test_a_copy_copies_what_lacks_and_tells_what_is_more(places: tuple[Place, Place]) -> None:
    source, target = places
    names = sorted(source.listed())
    target.create(names[0], source.read(names[0]))
    target.create("20260101T000000000000Z-00000000.parquet", b"more")
    copied = copy_landing(source, target)
    assert (copied.copied, copied.only_in_target, copied.is_equal) == (3, 1, False)
    assert "lacks" in str(copied)
    assert "equal" not in str(copied)


@pytest.mark.parametrize("which", ["segment", "mark"])
@pytest.mark.parametrize("bytes_of", ["the same size", "another size"])
def test_a_copy_refuses_other_bytes_of_the_same_name(places: tuple[Place, Place], which: str, bytes_of: str) -> None:
    source, target = places
    name = next(name for name in sorted(source.listed()) if name.endswith("distrusted") == (which == "mark"))
    content = source.read(name)
    other = content[:-1] + (b"0" if content[-1:] != b"0" else b"1") if bytes_of == "the same size" else content[:-1]
    target.create(name, other)
    with pytest.raises(LandingError, match=f"other bytes by the name {name}"):
        copy_landing(source, target)
    assert target.read(name) == other


def test_a_copy_tells_what_was_landed_meanwhile(places: tuple[Place, Place]) -> None:
    source, target = places

    def land_more(done: int, total: int) -> None:
        if done == total:
            land(Landing(source), replace(DAY, fetched_at=AT + timedelta(days=9)))

    copied = copy_landing(source, target, land_more)
    assert (copied.landed_meanwhile, copied.is_equal) == (1, False)
    assert "run again" in str(copied)
    assert copy_landing(source, target).is_equal


def test_a_copy_is_proved_by_its_bytes_where_the_store_tells_no_hash(tmp_path: Path) -> None:
    """A store that keeps something else than it was given, and says nothing of it."""

    class Torn(MemoryStore):
        def put(self, path: str, file: Any, **options: Any) -> Any:
            return super().put(path, file[: len(file) // 2], **options)

    source = Folder(tmp_path / "from")
    land(Landing(source), DAY)
    with pytest.raises(LandingError, match="other bytes"):
        copy_landing(source, bucket(Torn(), tmp_path))


def test_marks_are_copied_before_what_they_mark(places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = places
    created, create = list[str](), target.create

    def create_and_note(name: str, content: bytes) -> str | None:
        told = create(name, content)
        created.append(name)
        return told

    monkeypatch.setattr(target, "create", create_and_note)
    copy_landing(source, target)
    assert [name.endswith(".distrusted") for name in created] == [True, False, False, False]


def test_a_place_is_not_copied_to_itself(places: tuple[Place, Place]) -> None:
    with pytest.raises(UsageError, match="name another place"):
        copy_landing(places[0], places[0])


def in_a_bucket(home: Path, **given: str) -> GivenSettings:
    return GivenSettings(HEM_ETL_HOME=home, HEM_ETL_LANDING="s3://homes/a", **(KEYS | given))


def test_segments_of_a_bucket_are_on_this_machine_in_a_folder_of_its_own(tmp_path: Path) -> None:
    settings = in_a_bucket(tmp_path)
    other = open_place(settings, "s3://homes/b/")
    here = open_landing(settings).place
    assert (here.name, other.name) == ("s3://homes/a", "s3://homes/b")
    assert tmp_path / "cache" in here.folder.parents
    elsewhere = open_landing(in_a_bucket(tmp_path, HEM_ETL_S3_ENDPOINT="https://s3.example.eu")).place
    assert len({here.folder, other.folder, elsewhere.folder}) == 3
    assert here.outbox == tmp_path / "outbox" != other.outbox
    assert open_place(settings, "s3://homes/a").outbox == here.outbox
    assert open_place(settings, str(tmp_path / "x")).folder == tmp_path / "x"


def test_what_waits_for_a_bucket_is_known_where_landing_is_a_folder_again(tmp_path: Path) -> None:
    place = open_landing(in_a_bucket(tmp_path)).place
    place.outbox.mkdir()
    (place.outbox / "20260329T120000000000Z-00000000.parquet").write_bytes(b"whole")
    assert len(waiting_segments(GivenSettings(HEM_ETL_HOME=tmp_path))) == 1


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://homes.s3.us-east-1.amazonaws.com"),
        ({"HEM_ETL_S3_REGION": "eu-central-1"}, "https://homes.s3.eu-central-1.amazonaws.com"),
        ({"HEM_ETL_S3_URL_STYLE": "path"}, "https://s3.us-east-1.amazonaws.com"),
        ({"HEM_ETL_S3_ENDPOINT": "https://s3.example.eu"}, "https://s3.example.eu"),
        (
            {"HEM_ETL_S3_ENDPOINT": "https://s3.example.eu:9000/", "HEM_ETL_S3_URL_STYLE": "vhost"},
            "https://homes.s3.example.eu:9000",
        ),
        ({"HEM_ETL_S3_ENDPOINT": "http://127.0.0.1:8333"}, "http://127.0.0.1:8333"),
    ],
)
def test_what_the_store_is_told(
    given: dict[str, str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_REGION"):
        monkeypatch.setenv(name, "https://from.the.environment")
    place = open_landing(in_a_bucket(tmp_path, **given)).place
    assert isinstance(place, Bucket)
    store = place._store
    assert isinstance(store, obstore.store.S3Store)
    assert store.config["endpoint_url_s3"] == url  # type: ignore[typeddict-item]
    assert store.config["region"] == given.get("HEM_ETL_S3_REGION", "us-east-1")
    assert str(store.config["virtual_hosted_style_request"]) == str(url.startswith("https://homes")).lower()
    assert (store.config["bucket"], store.prefix) == ("homes", "a")
    assert not [value for value in KEYS.values() if value in f"{store!r}{store.config}{place!r}"]


@pytest.mark.parametrize("missing", KEYS)
def test_a_bucket_needs_keys(missing: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=missing):
        open_landing(in_a_bucket(tmp_path, **{missing: ""}))


def test_a_bucket_needs_what_speaks_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(SettingsError, match=r"hem_etl\[lake\]"):
        open_landing(in_a_bucket(tmp_path))
    open_landing(GivenSettings(HEM_ETL_HOME=tmp_path))


def test_a_place_is_a_folder_or_a_bucket(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="s3://BUCKET/PREFIX"):
        open_place(in_a_bucket(tmp_path), "gs://homes")
    with pytest.raises(SettingsError, match="s3://BUCKET/PREFIX"):
        open_bucket(in_a_bucket(tmp_path), "s3://homes/a?b", tmp_path, tmp_path)
