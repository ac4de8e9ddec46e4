"""Reading plain statistics bodies in one pass says what the tolerant reader says, or nothing."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from documented import SERIES
from hypothesis import example, given, settings
from hypothesis import strategies as st
from world import NOW, World

from hem_etl.enode.wire import SeriesEnvelope, WireError, read_statistics
from hem_etl.enode.wire_plain import PlainSeries, read_plain_statistics
from hem_etl.local_day import Interval
from hem_etl.simulator import Faults, Simulator

ABSENT = {"isAvailable": False, "reason": "No data"}
BODY = json.dumps({"timeseries": {"generation": SERIES, "consumption": ABSENT}}, separators=(",", ":")).encode()
PIECES = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0041", b" ", b"\n", b"\x00", b"\x1f", b"\x7f",
    b"\xc3\xa9", b"\xff", b"\xef\xbb\xbf", b"null", b"true", b"false", b"NaN", b"Infinity", b"-", b"+", b".", b"e",
    b"0", b"00", b"9", b"-0", b"-0.0", b"1.", b".5", b"1e5", b"1E-7", b"1e400", b"-1e400", b"1e-400", b"5e-324",
    b"9007199254740993", b"18446744073709551615", b"18446744073709551616", b"-9223372036854775809", b"0.1",
    b"123456789012345678901234567890", b"2.2250738585072011e-308", b"179769313486231580793e289", b"/**/", b'"t":',
    b'"v":', b'"v":7,', b'"t":"x",', b'"data":null,', b'"data":[],', b'"isAvailable":false,', b'"reason":" ",',
    b'"new":1,', b'"unit":null,', b'{"v":1},', b'"timeseries":{},', b'"sampling":null,', b'"timezone":5,',
    b"1" * 400, b"0." + b"3" * 400,
)  # fmt: skip


def as_said(series: PlainSeries | SeriesEnvelope | WireError) -> Any:
    """All that is read of a series, whichever reader read it."""
    if isinstance(series, WireError):
        return str(series)
    points = [(p["t"], p["v"]) if isinstance(p, dict) else (p.t, p.v) for p in series.data or ()]
    sampling = (series.sampling.mode, series.sampling.resolution)
    texts = (series.reason, series.unit, series.unit_type, *sampling, series.timezone)
    return series.is_available, texts, [(stamp, None if v is None else float(v)) for stamp, v in points]


def says_the_same_or_nothing(body: bytes) -> bool:
    """Whether the body is plain; fails where the tolerant reader says something else."""
    plain = read_plain_statistics(body)
    if plain is None:
        return False
    tolerant = read_statistics(body)
    assert list(plain) == list(tolerant)
    for name, series in plain.items():
        assert as_said(series) == as_said(tolerant[name])
    return True


def changed(**facts: Any) -> bytes:
    return json.dumps({"timeseries": {"generation": {**SERIES, **facts}}}).encode()


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b'{"timeseries": {}}',
        changed(data=None),
        changed(data=[]),
        changed(data=[{"v": 7, "t": "x"}, {"t": "", "v": -0.0}, {"t": "2026", "v": 2**64}]),
        changed(reason=None, unit=None, timezone=None),
        BODY.replace(b'"v":4.812', b'"v":1,"v":2'),
        BODY.replace(b'"isAvailable":false', b'"isAvailable":false,"data":[]'),
    ],
)
def test_what_is_documented_is_plain(body: bytes) -> None:
    assert says_the_same_or_nothing(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"timeseries": null}',
        b'{"timeseries": {"generation": null}}',
        BODY + b"x",
        json.dumps({"timeseries": {}, "new": 1}).encode(),
        changed(new=1),
        changed(sampling=None),
        changed(sampling={"mode": "bucketed", "resolution": "PT5M", "new": 1}),
        changed(isAvailable=None),
        changed(isAvailable=1),
        changed(unit=5),
        changed(unit=" "),
        changed(reason="Gerät"),
        changed(data="x"),
        changed(data=[1]),
        changed(data=[{"t": "x"}]),
        changed(data=[{"v": 1}]),
        changed(data=[{"t": "x", "v": True}]),
        changed(data=[{"t": "x", "v": "1"}]),
        changed(data=[{"t": 5, "v": 1}]),
        changed(data=[{"t": None, "v": 1}]),
        changed(data=[{"t": "x", "v": 1, "new": 1}]),
        changed(data=[{"t": "x", "v": float("nan")}]),
        changed(data=[{"t": "x", "v": 10**400}]),
        json.dumps({"timeseries": {"generation": {"isAvailable": True}}}).encode(),
    ],
)
def test_what_would_have_to_be_judged_is_not_plain(body: bytes) -> None:
    assert read_plain_statistics(body) is None


@settings(max_examples=1_500)
@given(
    st.lists(st.tuples(st.integers(0, len(BODY)), st.integers(0, 6), st.sampled_from(PIECES)), min_size=1, max_size=3)
)
@example([(BODY.index(b"4.812"), 5, b"-0")])
@example([(BODY.index(b"4.812"), 5, b"9007199254740993")])
@example([(BODY.index(b"kW"), 2, b"\x1f")])
def test_a_damaged_body_is_read_alike_or_not_at_all(damages: list[tuple[int, int, bytes]]) -> None:
    body = BODY
    for at, length, piece in damages:
        body = body[:at] + piece + body[at + length :]
    says_the_same_or_nothing(body)


@settings(max_examples=500)
@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()), st.text(max_size=30))
def test_every_number_is_the_same_float(value: float, stamp: str) -> None:
    says_the_same_or_nothing(changed(data=[{"t": stamp, "v": value}]))


@settings(max_examples=500)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_every_spelling_of_a_number_is_the_same_float(spelled: str) -> None:
    says_the_same_or_nothing(BODY.replace(b"4.812", spelled.encode()))


def test_most_bodies_of_a_spoiling_fleet_are_plain_and_all_are_read_alike(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.simulator = Simulator(world.simulator.fleet, faults=Faults.all(), clock=world.clock)
    plain = []
    with world.client() as client:
        for home in world.simulator.fleet.homes:
            for days in (1, 2, 3, 4):
                interval = Interval.of_day(NOW.date() - timedelta(days=days))
                body = client.fetch_statistics(home.system_id, interval).body
                if body is not None:
                    plain.append(says_the_same_or_nothing(body))
    assert sum(plain) > len(plain) / 2
    assert not all(plain)
