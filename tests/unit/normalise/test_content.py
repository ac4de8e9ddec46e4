"""The fingerprint of a day moves with what the tables hold, and with nothing else."""

import json
from array import array
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from hem_etl.normalise import read_days
from hem_etl.normalise.buffers import words_of

from .bodies import day_body, encoded, full, series, stamps, unavailable

VALUES = [0.0, 1.0, None, -0.25, 2.5]


def sha(raw, **more):
    return read_days([day_body(raw, **more)], over_limit_kw=50.0).days["content_sha256"][0]


def base(**more):
    points = list(zip(stamps(), VALUES, strict=False))
    return {"generation": series(points, **more), "soc": full(50.5, unit="%"), "import": unavailable("no data")}


def spelled():
    """The same points in UTC with a Z."""
    return [
        (datetime.fromisoformat(t).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), v)
        for t, v in zip(stamps(), VALUES, strict=False)
    ]


@pytest.mark.parametrize(
    "raw",
    [
        encoded(dict(reversed(base().items()))),
        json.dumps({"timeseries": base()}, indent=3).encode(),
        encoded(base(), requestId="7", generatedAt="now"),
        encoded({**base(), "generation": series(list(reversed(list(zip(stamps(), VALUES, strict=False)))))}),
        encoded({**base(), "generation": series(spelled())}),
        encoded(base()).replace(b"1.0", b"1").replace(b"0.0}", b"-0.0}"),
        encoded(base()).replace(b'"unitType": "Power", ', b'"extra": [1], '),
    ],
    ids=["series order", "spacing", "unknown fields", "point order", "Z", "integers and −0", "unread fields"],
)
def test_spelling_does_not_change_it(raw) -> None:
    assert sha(raw) == sha(encoded(base()))


@pytest.mark.parametrize(
    "timeseries",
    [
        {**base(), "generation": series(list(zip(stamps(), [0.0, 1.0, None, -0.25, 2.5000001], strict=False)))},
        {**base(), "generation": series(list(zip(stamps(), VALUES[:4], strict=False)))},
        {**base(), "generation": series(list(zip(stamps()[1:], VALUES, strict=False)))},
        {**base(), "import": unavailable("missing_scope_x")},
        {**base(), "new": full()},
        base(unit="W"),
        {**base(), "generation": series([*zip(stamps(), VALUES, strict=False), (stamps()[0], 0.0)])},
    ],
    ids=["a value", "a bucket less", "moved", "a reason", "an unknown series", "the unit", "a duplicate"],
)
def test_content_changes_it(timeseries) -> None:
    assert sha(encoded(timeseries)) != sha(encoded(base()))


def test_it_does_not_depend_on_the_batch_or_on_when_a_day_that_is_over_was_fetched() -> None:
    alone = sha(encoded(base()))
    bodies = [day_body(encoded(base()), system_id=f"s{n}") for n in range(3)]
    bodies.append(day_body({"generation": full(7, minutes=5)}, system_id="other"))
    together = read_days(list(reversed(bodies)), over_limit_kw=50.0).days.filter(system_id="s1")
    assert together["content_sha256"].to_list() == [alone]
    assert sha(encoded(base()), fetched_at=datetime(2026, 3, 30, tzinfo=UTC) + timedelta(days=3)) == alone


def test_it_is_the_same_for_ever() -> None:
    assert sha(encoded(base())) == "09b517a594dce29ebf276737bfafdffe4d8e33c237c52c7ec245d571cd64d4ef"


@pytest.mark.parametrize("height", [2, 7, 5_000])
def test_the_bytes_of_a_column_are_those_of_its_numbers_one_by_one(height: int) -> None:
    whole = pl.DataFrame({"a": range(height), "b": [-0.0, *(n / 3 for n in range(1, height))][:height]})
    whole = whole.cast({"a": pl.Int64, "b": pl.Float64})
    in_parts = pl.concat([whole.slice(1), whole, whole.reverse()], rechunk=False)
    assert in_parts.n_chunks() == 3
    for frame in (whole, whole.clear(), in_parts, in_parts.slice(height // 2, height)):
        assert words_of(frame) == [
            array("q", frame["a"].to_list()).tobytes(),
            array("d", frame["b"].to_list()).tobytes(),
        ]


def test_what_has_no_bytes_or_others_is_refused() -> None:
    with pytest.raises(AssertionError, match="NULL"):
        words_of(pl.DataFrame({"a": [1.5, None]}))
    with pytest.raises(AssertionError, match="64"):
        words_of(pl.DataFrame({"a": [1]}, schema={"a": pl.Int32}))
