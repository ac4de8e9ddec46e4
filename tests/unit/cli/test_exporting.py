"""`hem-etl sql` into files: whole or not at all, and what a format cannot hold is named."""

import json
from pathlib import Path

import polars as pl
import pytest
from commands import Run

import hem_etl.cli.exporting
from hem_etl.cli.exporting import write_frame
from hem_etl.errors import UsageError

FORMATS = ("csv", "parquet", "json")


@pytest.fixture
def published(run: Run) -> Run:
    """Runs a command where the fleet is published."""
    assert run("systems") == 0
    return run


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir() if path.is_file())


def test_a_query_that_fails_leaves_the_file_that_was_there(published: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """It was emptied before the rows were made."""
    good, bad = "select 1 as a", "select [1] as numbers, 2 as b"
    assert published("sql", good, "--output", "mine.csv") == 0
    assert published("sql", bad, "--output", "mine.csv") == 2
    assert "csv cannot hold numbers (" in capfd.readouterr().err
    assert (Path("mine.csv").read_text(), files()) == ("a\n1\n", ["mine.csv"])


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_written_anew_whole(
    kind: str, published: Run, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"mine.{kind}"
    assert published("sql", "select 1 as a", "--output", name) == 0
    before = Path(name).read_bytes()
    assert published("sql", "select 2 as a from range(3)", "--output", name) == 0
    after = Path(name).read_bytes()
    assert (before != after, files()) == (True, [name])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert published("sql", "select 3 as a", "--output", name) == 2
    assert f"cannot write {name}: No space left on device: make room" in capfd.readouterr().err
    assert (Path(name).read_bytes(), files()) == (after, [name])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_none_gets_the_rows(
    kind: str, published: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    capfdbinary.readouterr()
    assert published("sql", "select 7 as a", f"--{kind}", "--output", "/dev/stdout") == 0
    assert capfdbinary.readouterr().out.startswith({"csv": b"a\n7\n", "parquet": b"PAR1", "json": b"[\n"}[kind])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the machine has no disk that is always full")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_is_told_as_one(kind: str, published: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert published("sql", "select 7 as a", f"--{kind}", "--output", "/dev/full") == 2
    told = capfd.readouterr().err
    assert "error: cannot write /dev/full: " in told
    assert "No space left on device" in told


def test_a_type_that_no_frame_holds_is_named_with_its_column(published: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """polars panics at it, which is no Exception: it ended in a traceback."""
    of_type = {
        "interval 1 month": "INTERVAL",
        "union_value(k := 1)": "UNION(k INTEGER)",
        "[interval 1 day]": "INTERVAL[]",
        "[interval 1 day]::interval[1]": "INTERVAL[1]",
        "{'a': 1, 'b': {'c': interval 1 day}}": "STRUCT(a INTEGER, b STRUCT(c INTERVAL))",
        "map {'a': interval 1 day}": "MAP(VARCHAR, INTERVAL)",
    }
    capfd.readouterr()
    for odd, name in of_type.items():
        for options in (["--csv"], ["--output", "mine.csv"], ["--output", "mine.parquet"]):
            assert published("sql", f"select 1 as fine, {odd} as its_span", *options) == 2
            told = capfd.readouterr()
            assert f"error: column its_span is of type {name}," in told.err
            assert '"its_span"::varchar' in told.err
            assert ("panicked" in told.err, told.out, files()) == (False, "", [])
        assert published("sql", f"select 1 as fine, ({odd})::varchar as its_span", "--csv") == 0
        assert published("sql", f"select {odd} as its_span", "--json") == 0
        header, _, *rows = capfd.readouterr().out.splitlines()
        assert (header, json.loads("".join(rows))[0].keys()) == ("fine,its_span", {"its_span"})


def test_a_value_at_which_polars_panics_is_a_usage_error_that_names_its_column(
    published: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    query = "select 1 as fine, 'infinity'::date as for_ever"
    assert published("sql", query, "--csv") == 2
    told = capfd.readouterr()
    assert ("error: csv cannot hold for_ever (" in told.err, told.out) == (True, "")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_panic_while_rows_are_written_is_told_whatever_the_format(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(frame: pl.DataFrame, _: object) -> None:
        if "odd" in frame.columns:
            raise pl.exceptions.PanicException("not implemented")

    monkeypatch.setattr(hem_etl.cli.exporting, "_FRAME_WRITERS", {kind: panic})
    with (
        pytest.raises(UsageError, match=rf"{kind} cannot hold odd \(not implemented\)"),
        (tmp_path / "f").open("wb") as f,
    ):
        write_frame(pl.DataFrame({"fine": [1], "odd": [2]}), kind, f)
