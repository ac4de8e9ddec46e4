"""What a statistics body says about its series, before any value is looked at.

A body or flow whose shape cannot be read without guessing is refused whole, with a detail that names it. Oddly shaped
series under names we do not know are recorded and never fail a body; nor does the state of charge, whose key, unit and
sampling are not documented: it is then unavailable, with the reason, and the flows of the day are loaded.
"""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from hem_etl.enode.wire import SeriesEnvelope, WireError, read_statistics
from hem_etl.enode.wire_plain import PlainSeries, Point, read_plain_statistics
from hem_etl.vocabulary import METRICS, SOC, WIRE_SPELLINGS, Absence

_DURATION: Final = re.compile(r"P(?:([0-9]{1,6})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})S)?)?")
_MISSING_SCOPE: Final = re.compile(r"missing_scope_([A-Za-z0-9_:.\-]*[A-Za-z0-9])")
_LONGEST_TEXT: Final = 500
_STAMP: Final = itemgetter("t")
_VALUE: Final = itemgetter("v")

_Sent = PlainSeries | SeriesEnvelope

Units = Mapping[str, Mapping[Any, float]]
"""Metric → unit as sent → factor to ours."""


class UnreadableBodyError(ValueError):
    """The body cannot be read without guessing. The message is one line that names what is wrong."""


@dataclass(frozen=True, slots=True)
class Points:
    """The `t` and the `v` of each point of a series, as they came."""

    stamps: list[Any]
    values: list[Any]
    are_numbers: bool = False
    """Whether it is known that each value is a float, or None."""


@dataclass(slots=True)
class Envelope:
    """One series: what it says about itself, and its points."""

    metric: str
    wire_name: str
    is_known: bool
    is_available: bool
    reason: str | None = None
    unit: str | None = None
    sampling_mode: str | None = None
    timezone: str | None = None
    resolution_minutes: int | None = None
    scale: float = 1.0
    """Factor from the sent unit to ours."""
    points: Points | None = None
    """Only where the series is known and available."""


def read_envelopes(body: bytes, units: Units, resolutions: Container[int]) -> list[Envelope]:
    """The series of a body: known ones in vocabulary order, then unknown names sorted. Raises UnreadableBodyError.

    units: a metric without any was not asked for and is left out.
    resolutions: the bucket lengths, in minutes, that this kind of interval can have.
    """
    timeseries: Mapping[str, _Sent | WireError] | None = read_plain_statistics(body)
    if timeseries is None:
        try:
            timeseries = read_statistics(body)
        except WireError as error:
            raise UnreadableBodyError(_line(error)) from error
    known: list[Envelope] = []
    taken: set[str] = set()
    for metric in METRICS:
        name = next((spelling for spelling in WIRE_SPELLINGS[metric] if spelling in timeseries), None)
        if name is None:
            continue
        taken.add(name)
        if metric in units:
            try:
                known.append(_known(metric, name, timeseries[name], units[metric], resolutions))
            except UnreadableBodyError as error:
                if metric != SOC:
                    raise
                known.append(Envelope(SOC, name, is_known=True, is_available=False, reason=f"cannot be read: {error}"))
    return known + _unknown(timeseries, taken)


def absence_of(reason: str | None) -> tuple[Absence, str | None]:
    """The drawer for a reason's free text, and the scope that is missing."""
    scope = _MISSING_SCOPE.search(reason or "")
    text = (reason or "").lower()
    if scope:
        return Absence.MISSING_SCOPE, scope[1]
    if "not supported" in text or "unsupported" in text:
        return Absence.UNSUPPORTED, None
    if "installation" in text:
        return Absence.BEFORE_INSTALLATION, None
    if "no data" in text:
        return Absence.NO_DATA, None
    return Absence.OTHER, None


@lru_cache(maxsize=256)
def minutes_of(duration: str | None) -> int | None:
    """An ISO-8601 duration without months (`PT5M`, `PT1H30M`, `PT300S`, `P1D`) in whole minutes; None otherwise."""
    match = _DURATION.fullmatch(duration or "")
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return total // 60 if total and total % 60 == 0 else None


def printable(value: object, longest: int = 60) -> str:
    """A value from outside as one short line of printable ASCII."""
    text = ascii(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _known(
    metric: str,
    name: str,
    sent: _Sent | WireError,
    units: Mapping[Any, float],
    resolutions: Container[int],
) -> Envelope:
    if isinstance(sent, WireError):
        raise UnreadableBodyError(_line(sent))
    envelope = _recorded(metric, name, sent, is_known=True)
    if not sent.is_available:
        return envelope
    if sent.unit not in units:
        raise UnreadableBodyError(f"series {printable(name)}: unknown unit {printable(sent.unit)}")
    if envelope.resolution_minutes not in resolutions:
        raise UnreadableBodyError(
            f"series {printable(name)}: unreadable resolution {printable(sent.sampling.resolution)}"
        )
    envelope.scale = units[sent.unit]
    envelope.points = _points_of(sent.data or ())
    return envelope


def _points_of(points: Sequence[Any]) -> Points:
    """No `v` is a null; what is no point at all has a time that cannot be read."""
    if points and type(points[0]) is Point:
        return Points([point.t for point in points], [point.v for point in points], are_numbers=True)
    try:
        return Points(list(map(_STAMP, points)), list(map(_VALUE, points)))
    except (KeyError, TypeError, IndexError):
        return Points(
            [point.get("t") if isinstance(point, dict) else printable(point) for point in points],
            [point.get("v") if isinstance(point, dict) else None for point in points],
        )


def _unknown(timeseries: Mapping[str, _Sent | WireError], taken: set[str]) -> list[Envelope]:
    envelopes, names = [], set(METRICS)
    for name in sorted(timeseries.keys() - taken):
        sent = timeseries[name]
        metric = name
        while metric in names:  # a name that is also one of our words must not pass for it
            metric += " (as sent)"
        names.add(metric)
        if isinstance(sent, WireError):
            envelopes.append(Envelope(metric, name, is_known=False, is_available=False, reason=_line(sent)))
        else:
            envelopes.append(_recorded(metric, name, sent, is_known=False))
    return envelopes


def _recorded(metric: str, name: str, sent: _Sent, *, is_known: bool) -> Envelope:
    return Envelope(
        metric=metric,
        wire_name=name,
        is_known=is_known,
        is_available=sent.is_available,
        reason=sent.reason,
        unit=sent.unit,
        sampling_mode=sent.sampling.mode,
        timezone=sent.timezone,
        resolution_minutes=minutes_of(sent.sampling.resolution),
    )


def _line(error: WireError) -> str:
    return " ".join(str(error).split())[:_LONGEST_TEXT]
