"""What an ideal warehouse must hold after reading what the simulator served: told from the model, never from JSON.

Works bucket by bucket on instants and whole watts, slowly and plainly, so that it can catch an error of the fast text
of `bodies` as well as one of a reader. Faults are not part of it: `Faults.describe` tells which intervals they spoil.
"""

from array import array
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from fractions import Fraction

from hem_etl.local_day import day_bounds_utc, days_between, next_month
from hem_etl.simulator.blemishes import OVER_LIMIT_WATTS, Blemishes, day_blemishes, preliminary_watts
from hem_etl.simulator.counters import reported_centi_kwh
from hem_etl.simulator.homes import Home
from hem_etl.simulator.physics import power_day
from hem_etl.vocabulary import FLOWS, METRICS, NEGATIVE_BELOW_KW, SOC, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueSeries:
    """One metric of one day. Counts are of buckets that had ended; 0 where the metric is unavailable."""

    metric: str
    is_available: bool
    reason: str | None
    resolution_minutes: int
    expected_buckets: int
    sent_buckets: int
    """Different instants on the grid and inside the day."""
    valid_buckets: int
    null_buckets: int
    missing_buckets: int
    over_limit_buckets: int
    negative_buckets: int
    duplicate_buckets: int
    """Points beyond the first of an instant."""
    outside_day_buckets: int
    off_grid_buckets: int
    valid_hours: Fraction
    day_hours: Fraction
    exact_kwh: Fraction | None
    """Σ P·h over valid buckets; None where there is none, and for the state of charge."""
    buckets: tuple[tuple[datetime, float | None], ...]
    """(start UTC, kW or %) of every ended bucket that was sent, in order; None = null. Over-limit values are kept."""

    @property
    def kwh(self) -> float | None:
        return None if self.exact_kwh is None else float(self.exact_kwh)

    @property
    def coverage(self) -> float | None:
        return float(self.valid_hours / self.day_hours) if self.is_available else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueDay:
    """One local day of one system, by metric (all seven of the vocabulary)."""

    system_id: str
    day: date
    starts_at_utc: datetime
    ends_at_utc: datetime
    outcome: Outcome
    """`loaded`, `unavailable` or `before_installation`."""
    metrics: dict[str, TrueSeries]


class _Left(Enum):
    OUT = "not sent"


def true_day(home: Home, day: date, as_of: datetime, over_limit_kw: float = 50.0) -> TrueDay:
    """The truth about `day` as it is served at `as_of`."""
    start, end = day_bounds_utc(day, home.zone)
    metrics = {metric: _true_series(home, day, metric, as_of, over_limit_kw) for metric in METRICS}
    is_loaded = any(series.is_available for series in metrics.values())
    outcome = Outcome.LOADED if is_loaded else Outcome.UNAVAILABLE
    return TrueDay(
        system_id=home.system_id,
        day=day,
        starts_at_utc=start,
        ends_at_utc=end,
        outcome=outcome if day >= home.installed_on else Outcome.BEFORE_INSTALLATION,
        metrics=metrics,
    )


def true_month(home: Home, month: date, as_of: datetime) -> dict[date, dict[str, float | None]]:
    """The vendor's own kWh of each day of `month` by flow; None where it sends none."""
    flows = home.available_flows()
    days: dict[date, dict[str, float | None]] = {}
    for day in days_between(month, next_month(month) - timedelta(days=1)):
        days[day] = dict.fromkeys(FLOWS)
        for flow in flows if day >= home.installed_on else []:
            centi_kwh = reported_centi_kwh(home, day, flow, as_of)
            days[day][flow] = None if centi_kwh is None else centi_kwh / 100
    return days


def _true_series(home: Home, day: date, metric: str, as_of: datetime, over_limit_kw: float) -> TrueSeries:
    start, end = day_bounds_utc(day, home.zone)
    reason = home.unavailable_reason(metric) if day >= home.installed_on else "before installation"
    resolution = home.soc_minutes(day) if metric == SOC else home.flow_minutes(day)
    blemishes, flow_minutes = day_blemishes(home, day), home.flow_minutes(day)
    values = _spoken_values(home, day, metric, as_of)
    buckets: list[tuple[datetime, float | None]] = []
    expected = missing = null = valid = over = negative = 0
    valid_minutes, watt_minutes = 0, 0
    minute, length = 0, (end - start) // timedelta(minutes=1)
    while reason is None and minute < length:
        minutes = min(resolution, length - minute)
        if start + timedelta(minutes=minute + minutes) > as_of:
            break
        expected += 1
        value = _last_word(blemishes, metric, minute, as_of, values[minute // flow_minutes])
        begin = start + timedelta(minutes=minute)
        minute += resolution
        if isinstance(value, _Left):
            missing += 1
            continue
        number = None if value is None else value / (10 if metric == SOC else 1000)
        buckets.append((begin, number))
        if value is None:
            null += 1
        elif metric != SOC and abs(value) > over_limit_kw * 1000:
            over += 1
        else:
            valid += 1
            negative += metric != SOC and value / 1000 < NEGATIVE_BELOW_KW
            valid_minutes += minutes
            watt_minutes += value * minutes

    def is_over(instant: int) -> bool:
        """Whether the bucket that holds minute `instant` is sent and over."""
        first = instant - instant % resolution
        return reason is None and start + timedelta(minutes=min(first + resolution, length)) <= as_of

    def is_sent(instant: int) -> bool:
        if blemishes.is_empty or not is_over(instant):
            return False
        omitted = blemishes.omitted
        return omitted is None or not omitted.covers(metric, instant - instant % resolution)

    past_end = reason is None and home.quirks.sends_next_midnight and as_of >= end + timedelta(minutes=resolution)
    return TrueSeries(
        metric=metric,
        is_available=reason is None,
        reason=reason,
        resolution_minutes=resolution,
        expected_buckets=expected,
        sent_buckets=len(buckets),
        valid_buckets=valid,
        null_buckets=null,
        missing_buckets=missing,
        over_limit_buckets=over,
        negative_buckets=negative,
        duplicate_buckets=sum(minute % resolution == 0 and is_sent(minute) for minute, _ in blemishes.duplicates),
        outside_day_buckets=int(past_end),
        off_grid_buckets=sum(is_sent(minute) for minute in blemishes.off_grid),
        valid_hours=Fraction(valid_minutes, 60),
        day_hours=Fraction(length, 60),
        exact_kwh=Fraction(watt_minutes, 60_000) if valid and metric != SOC else None,
        buckets=tuple(buckets),
    )


def _spoken_values(home: Home, day: date, metric: str, as_of: datetime) -> "array[int]":
    """W of each flow bucket as it is told at `as_of`, but for blemishes; ‰ for the state of charge."""
    power, restated_at = power_day(home, day), day_blemishes(home, day).restated_at
    if metric == SOC:
        return power.soc_permille
    is_preliminary = restated_at is not None and as_of < restated_at
    return (preliminary_watts(power.watts) if is_preliminary else power.watts)[metric]


def _last_word(blemishes: Blemishes, metric: str, minute: int, as_of: datetime, spoken: int) -> int | _Left | None:
    """What was said last about the bucket that begins at `minute`: `spoken`, null, or nothing at all."""
    if blemishes.omitted and blemishes.omitted.covers(metric, minute):
        return _Left.OUT
    is_late = blemishes.filled_at is not None and as_of < blemishes.filled_at
    if (
        blemishes.is_empty
        or (blemishes.nulls and blemishes.nulls.covers(metric, minute))
        or (is_late and blemishes.late and blemishes.late.covers(metric, minute))
        or (minute, True) in blemishes.duplicates
    ):
        return None
    return OVER_LIMIT_WATTS if (metric, minute) in blemishes.over_limit else spoken
