"""`hem-etl landing copy`, and what the doctor says of landing."""

import json
from pathlib import Path

import pytest
from commands import Run

SEGMENTS = Path("hem_data/landing")


def finding(run: Run, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    capsys.readouterr()
    run("doctor", "--json")
    return [
        (each["status"], each["finding"]) for each in json.loads(capsys.readouterr().out) if each["what"] == "landing"
    ]


def test_a_copy_is_told_and_can_be_worked_on(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("systems") == 0
    assert run("landing", "copy", "--to", "copied") == 0
    assert "copied holds all 1 segments" in capsys.readouterr().err
    assert run("landing", "copy", "--to", "copied", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["segments"], told["copied"], told["is_equal"]) == (1, 0, True)
    (segment,) = SEGMENTS.glob("*.parquet")
    assert (Path("copied") / segment.name).read_bytes() == segment.read_bytes()
    monkeypatch.setenv("HEM_ETL_LANDING", "copied")
    assert run("rebuild") == 0
    assert finding(run, capsys) == [("ok", "1 segments in copied")]
    assert run("landing", "copy", "--from", "hem_data/landing", "--to", "copied/") == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--to", "hem_data/landing"], "cannot be copied to itself"),
        (["--to", "gs://homes"], "s3://BUCKET/PREFIX"),
        (["--to", "s3://homes"], "HEM_ETL_S3_ACCESS_KEY_ID"),
        (["--to", ""], "an empty name is no place"),
        (["--to", " "], "an empty name is no place"),
        (["--to", "copied", "--from", ""], "an empty name is no place"),
        (["--to", "copied", "--from", "hem_date/landing"], "hem_date/landing is not there or holds no segment"),
        (["--to", "copied", "--from", "empty"], "empty is not there or holds no segment"),
        (["--to", "copied", "--from", "a_file"], "a_file is not there or holds no segment"),
        (["--to", "copied"], "hem_data/landing is not there or holds no segment"),
    ],
)
@pytest.mark.parametrize("landing", [None, ""])
def test_a_copy_that_cannot_be_says_why(
    options: list[str],
    says: str,
    landing: str | None,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty name was the root of the file system, and a source that is not there a copy that is whole."""
    if landing is not None:
        monkeypatch.setenv("HEM_ETL_LANDING", landing)
    monkeypatch.setattr("hem_etl.landing.places.put_in_place", None)
    Path("empty").mkdir()
    Path("a_file").touch()
    assert run("landing", "copy", *options) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "bug of hem_etl" not in told
    assert not Path("copied").exists()


def test_the_doctor_finds_a_landing_that_lacks_what_was_published(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a prefix that was mistyped does."""
    assert run("systems") == 0
    monkeypatch.setenv("HEM_ETL_LANDING", "mistyped")
    ((status, told),) = finding(run, capsys)
    assert status == "FAIL"
    assert "mistyped lacks 1 segments" in told


def test_the_doctor_tells_what_still_waits_for_a_bucket(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("systems") == 0
    (segment,) = SEGMENTS.glob("*.parquet")
    Path("hem_data/outbox").mkdir()
    (Path("hem_data/outbox") / segment.name).write_bytes(segment.read_bytes())
    findings = dict(finding(run, capsys))
    assert f"1 segments wait to be sent to a bucket (such as {segment.name})" in findings["warn"]
