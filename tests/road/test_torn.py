"""A machine that dies: whatever it leaves of the writer's file, the next run ends in the same tables."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tiers import swept
from world import NOW, World, same_tables

from hem_etl.errors import HemEtlError, LandingError, WriterBusyError
from hem_etl.simulator import make_fleet

pytestmark = pytest.mark.only_file("it is about what a dying machine leaves of it")
BLOCK = 262_144
HEADERS = 12_288
DAYS = "2026-11-20", "2026-11-21"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A home of three systems that is never damaged itself."""
    world = World(tmp_path_factory.mktemp("torn") / "home", make_fleet(3, today=NOW.date()))
    world.run(*DAYS)
    return world


@pytest.fixture
def home(whole: World, tmp_path: Path) -> World:
    """A copy of it."""
    copy = whole.copied_to(tmp_path / "copy")
    copy.settings.database.chmod(0o444)
    return copy


def garbage(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def patched(at: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda old: old[:at] + new[: len(old) - at] + old[at + len(new) :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "zero length": lambda old: b"",
    "a hundred bytes": lambda old: old[:100],
    "the first header": patched(0, garbage(4096)),
    "the second header": patched(4096, bytes(4096)),
    "the third header": patched(8192, bytes(4096)),
    "half of it": lambda old: old[: len(old) // 2],
    "the last block": lambda old: old[:-4096],
    "all blocks zero": lambda old: old[:HEADERS] + bytes(len(old) - HEADERS),
    **{f"block {n} garbage": patched(HEADERS + n * BLOCK + 8192, garbage(4096)) for n in range(0, 24, 3)},
}


@pytest.mark.parametrize("damage", swept(zip(DAMAGES.values()), 1), ids=DAMAGES)
@pytest.mark.slow
def test_a_torn_file_is_made_again_from_landing_and_the_run_goes_on(
    damage: Callable[[bytes], bytes], home: World, whole: World, caplog: pytest.LogCaptureFixture
) -> None:
    file = home.writers_file
    file.write_bytes(damage(file.read_bytes()))
    report = home.run(*DAYS)
    assert report.exit_code == 0
    same_tables(whole.tables(), home.tables())
    aside = list(file.parent.glob("warehouse.torn-*"))
    assert bool(aside) == ("is damaged" in caplog.text)  # a block that nobody needs may be none


def test_a_torn_log_beside_the_file_goes_with_it(home: World, whole: World) -> None:
    file = home.writers_file
    file.write_bytes(b"")
    file.with_name(f"{file.name}.wal").write_bytes(garbage(5000))
    home.run(*DAYS)
    same_tables(whole.tables(), home.tables())
    assert len(list(file.parent.glob("warehouse.torn-*"))) == 2


def test_only_the_newest_torn_file_is_kept(home: World) -> None:
    file = home.writers_file
    (file.parent / "warehouse.torn-20200101T000000Z.duckdb").write_bytes(b"old")
    file.write_bytes(b"")
    home.run(*DAYS)
    assert len(list(file.parent.glob("warehouse.torn-*"))) == 1


def test_a_work_folder_that_was_deleted_is_filled_again(home: World, whole: World) -> None:
    shutil.rmtree(home.settings.work)
    assert home.run(*DAYS).asked == 0
    same_tables(whole.tables(), home.tables())


@pytest.mark.parametrize("left", [None, b"", b"half"], ids=["deleted", "zero length", "torn"])
def test_a_published_file_that_is_gone_or_torn_is_published_again_due_or_not(
    left: bytes | None, home: World, whole: World
) -> None:
    home.settings.database.unlink()
    if left is not None:
        home.settings.database.write_bytes(left)
        home.settings.database.chmod(0o444)
        with pytest.raises(HemEtlError, match="It is damaged; the next run publishes a clean copy"):
            home.sql("select 1")
    assert home.run(*DAYS).asked == 0
    same_tables(whole.tables(), home.tables())


def test_a_landing_that_lacks_segments_is_no_base_to_make_the_file_from(home: World) -> None:
    before = home.settings.database.read_bytes()
    landing = home.road().landing
    (landing.folder / landing.segments()[0]).unlink()
    home.writers_file.write_bytes(b"")
    for verb in (lambda: home.road().load(), lambda: home.road().rebuild()):
        with pytest.raises(LandingError, match="lacks 1 segments .* restore them from a backup"):
            verb()
    shutil.rmtree(home.settings.work)
    with pytest.raises(LandingError, match="restore them from a backup"):
        home.road().load()
    assert home.settings.database.read_bytes() == before


@pytest.mark.parametrize(
    ("says", "error", "match"),
    [
        (
            "Trying to read a database file with version number 99, but we can only read versions 64",
            HemEtlError,
            "newer",
        ),
        ("Cannot open file: Permission denied", HemEtlError, "give this user access"),
        ("Conflicting lock is held in python (PID 17)", WriterBusyError, "process 17"),
    ],
)
def test_what_is_no_damage_sets_nothing_aside(
    says: str, error: type[Exception], match: str, home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise duckdb.IOException(says)

    file = home.writers_file
    before = file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("hem_etl.warehouse.files.duckdb.connect", refuse)
        with pytest.raises(error, match=match):
            home.road().load()
    assert file.read_bytes() == before


KILLED = """
import os, signal, sys
from pathlib import Path
from world import World
from hem_etl.simulator import make_fleet
from world import NOW

left = int(sys.argv[2])

def counted(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

for name in ("fsync", "replace", "rename", "unlink", "open"):
    setattr(os, name, counted(getattr(os, name)))
world = World(Path(sys.argv[1]), make_fleet(3, today=NOW.date()), has_tables=False)
world.run("2026-11-20", "2026-11-21")
world.road().rebuild()
"""


@pytest.mark.slow
@pytest.mark.parametrize("call", range(1, 40, 5))
def test_killed_at_any_call_of_a_run_or_rebuild_the_next_run_ends_the_same(
    call: int, whole: World, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    paths = os.pathsep.join((str(root), str(root / "tests")))
    home = tmp_path / "home"
    script = [sys.executable, "-c", KILLED, str(home), str(call)]
    subprocess.run(script, env=os.environ | {"PYTHONPATH": paths}, check=False, capture_output=True)
    world = World(home, whole.simulator.fleet, has_tables=False)
    world.run(*DAYS)
    theirs, ours = whole.tables(), world.tables()
    for name in ("core.load", "core.system", "core.system_history", "core.asset", "core.location"):
        theirs.pop(name), ours.pop(name)  # when a list was seen, and how long a look took, may differ
    same_tables(theirs, ours)
