"""A file that a person named is written anew whole, or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from hem_etl.disk import replacing


class Unwritable(Exception):
    """What goes wrong half-way."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("before", [None, b"as it was"])
def test_what_fails_half_way_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path, before: bytes | None) -> None:
    file = tmp_path / "months.csv"
    if before is not None:
        file.write_bytes(before)
    with pytest.raises(Unwritable), replacing(file) as opened:
        opened.write(b"half")
        opened.flush()
        raise Unwritable
    assert names(tmp_path) == ([] if before is None else ["months.csv"])
    assert before is None or file.read_bytes() == before


def test_until_it_is_whole_a_reader_finds_the_file_before(tmp_path: Path) -> None:
    file = tmp_path / "months.csv"
    file.write_bytes(b"as it was")
    with replacing(file) as opened:
        opened.write(b"new")
        opened.flush()
        assert file.read_bytes() == b"as it was"
    assert (file.read_bytes(), names(tmp_path)) == (b"new", ["months.csv"])


def test_a_file_keeps_its_access_a_new_one_has_that_of_any_and_a_private_one_none(tmp_path: Path) -> None:
    def mode_of(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    (tmp_path / "any").touch()
    (tmp_path / "shared").touch()
    (tmp_path / "shared").chmod(0o664)
    (tmp_path / "open").touch(mode=0o644)
    for name, is_private in (("shared", False), ("new", False), ("open", True), ("secret", True)):
        with replacing(tmp_path / name, is_private=is_private) as opened:
            opened.write(b"x")
    assert [mode_of(name) for name in ("shared", "new", "open", "secret")] == [0o664, mode_of("any"), 0o600, 0o600]


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kept.csv"
    file.write_bytes(b"as it was")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write any
    with pytest.raises(PermissionError), replacing(file):
        pytest.fail("opened")
    assert (file.read_bytes(), names(tmp_path)) == (b"as it was", ["kept.csv"])


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_one(tmp_path: Path, is_there: bool) -> None:
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far/months.csv", tmp_path / "newest.csv"
    if is_there:
        file.write_bytes(b"as it was")
    link.symlink_to("far/months.csv")
    with replacing(link) as opened:
        opened.write(b"new")
    assert (link.is_symlink(), file.read_bytes(), names(file.parent)) == (True, b"new", ["months.csv"])


def test_a_pipe_is_written_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with replacing(pipe) as opened:
        opened.write(b"rows")
    reader.join()
    assert (read, pipe.is_fifo(), names(tmp_path)) == ([b"rows"], True, ["pipe"])


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the machine has no names for open descriptors")
def test_what_an_open_descriptor_names_is_written_behind_what_is_there(tmp_path: Path) -> None:
    """As /dev/stdout, where a shell has put a file: `>>` keeps what the file held."""
    file = tmp_path / "all.csv"
    with file.open("ab", buffering=0) as shell:
        shell.write(b"first\n")
        with replacing(Path(f"/dev/fd/{shell.fileno()}")) as opened:
            opened.write(b"second\n")
        shell.write(b"third\n")
    assert (file.read_bytes(), names(tmp_path)) == (b"first\nsecond\nthird\n", ["all.csv"])


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "none/months.csv"):
        pytest.fail("opened")
    with pytest.raises(IsADirectoryError), replacing(tmp_path):
        pytest.fail("opened")
    assert names(tmp_path) == []
