"""Rules that look at the course of values: is it plausible that a home did this? All are warnings.

Each takes the valid values of a batch (`Measured`) and gives FOUND_SCHEMA rows: screened first with whole-column
comparisons that almost nothing passes, then looked at closely.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from hem_etl.normalise.axes import MINUTE_US
from hem_etl.normalise.frames import METRIC_RANK
from hem_etl.normalise.measured import Measured, figure, of_day, of_series, time
from hem_etl.vocabulary import METRICS, SOC

MAD_TO_SIGMA: Final = 1.4826
"""Median absolute deviation → standard deviation of a normal distribution (Hampel 1974)."""
HAMPEL_SIGMAS: Final = 3.0
LONGEST_SET_POINT_MINUTES: Final = 720
PEAK_RATIO_AROUND_ZERO: Final = 0.2
NIGHT_BEGINS_MINUTE: Final = 23 * 60
NIGHT_ENDS_MINUTE: Final = 3 * 60
EMPTY_PCT: Final = 0.0
FULL_PCT: Final = 100.0
LEAST_FRACTION_MOVED: Final = 0.1

_LIMITED: Final = [METRIC_RANK["generation"], METRIC_RANK["grid_export"]]
_CONTROLLED: Final = [METRIC_RANK["battery_charge"], METRIC_RANK["battery_discharge"]]
_NEVER_ZERO_BETWEEN: Final = [METRIC_RANK["generation"], METRIC_RANK["consumption"]]
_BATTERY: Final = ("battery_charge", "battery_discharge")
_NO_BATTERY: Final = ("generation", "consumption", "grid_import", "grid_export")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits that the operator sets."""

    spike_kw: float
    stale_buckets: int
    night_generation_kw: float
    simultaneous_kw: float


def implausible(measured: Measured, thresholds: Thresholds) -> list[pl.DataFrame]:
    """What all rules of this room find."""
    return [
        spike(measured, thresholds.spike_kw),
        stale_nonzero(measured, thresholds.stale_buckets),
        zero_flatline(measured),
        isolated_zero(measured),
        all_zero(measured),
        night_generation(measured, thresholds.night_generation_kw),
        simultaneous(measured, "grid_import", "grid_export", thresholds.simultaneous_kw),
        simultaneous(measured, "battery_charge", "battery_discharge", thresholds.simultaneous_kw),
        soc_range(measured),
        soc_fraction(measured),
    ]


def spike(measured: Measured, least_kw: float) -> pl.DataFrame:
    """Further than 3 sigma, by the MAD, from the median of the five valid buckets around it, and than `least_kw`.

    Nulls and gaps are skipped: a counter that catches up after a gap is what the rule is for. The first two and the
    last two valid buckets of a day are not judged. A value so far from the median is so far from a neighbour too,
    which is quick to see.
    """
    points = measured.points
    to_next = (pl.col("value").shift(-1) - pl.col("value")).abs() > least_kw
    at = points.select((to_next | to_next.shift()).arg_true()).to_series().cast(pl.Int64)
    at = at.filter((at >= 2) & (at < points.height - 2))
    around = {f"value_{place}": points["value"].gather(at + place) for place in (-2, -1, 1, 2)}
    candidates = points[at].with_columns(**around)
    candidates = candidates.filter(points["series_ix"].gather(at - 2) == points["series_ix"].gather(at + 2))
    window = pl.concat_list("value", *around)
    spikes = (
        candidates.with_columns(median=window.list.median())
        .with_columns(away=(pl.col("value") - pl.col("median")).abs())
        .with_columns(
            sigma=MAD_TO_SIGMA
            * pl.concat_list((pl.col(name) - pl.col("median")).abs() for name in ("value", *around)).list.median()
        )
        .filter((pl.col("away") > least_kw) & (pl.col("away") > HAMPEL_SIGMAS * pl.col("sigma")))
    )
    evidence = (time("start"), ", ", figure("value"), " kW, median of five ", figure("median"))
    limit = f" kW; limit: {least_kw:g} kW and {HAMPEL_SIGMAS:g} sigma"
    return of_series("spike", spikes, pl.col("away"), "furthest: ", *evidence, limit)


def stale_nonzero(measured: Measured, least_buckets: int) -> pl.DataFrame:
    """So many equal values above 0 in buckets that follow one another: a null, a gap or an excluded value ends a run.

    Some runs are natural and stay silent up to 12 hours: generation and export at the day's highest value (the limit
    of an inverter or a feed-in), charge and discharge at any value (a controller's set-point). The state of charge may
    rest for days. Standby draw, below 0, is told by `negative`.
    """
    points = measured.points
    goes_on = pl.col("follows") & (pl.col("value") == pl.col("value").shift())
    begins = points.select((~goes_on.fill_null(False)).arg_true()).to_series()  # the first point begins a run
    lengths = begins.shift(-1, fill_value=points.height) - begins
    is_long = lengths >= least_buckets
    runs = points[begins.filter(is_long)].with_columns(length=lengths.filter(is_long)).filter(pl.col("value") > 0)
    rank = pl.col("series_ix") % len(METRICS)
    is_natural = rank.is_in(_CONTROLLED) | (rank.is_in(_LIMITED) & (pl.col("value") == pl.col("peak")))
    runs = (
        runs.join(measured.peaks(runs["series_ix"]), on="series_ix", how="left", maintain_order="left")
        .join(measured.series.select("series_ix", "step"), on="series_ix", how="left", maintain_order="left")
        .with_columns(minutes=pl.col("length") * (pl.col("step") // MINUTE_US))
        .filter(~is_natural | (pl.col("minutes") > LONGEST_SET_POINT_MINUTES))
    )
    evidence = (pl.col("length").cast(pl.String), " × ", figure("value"), " kW from ", time("start"))
    return of_series(
        "stale_nonzero", runs, pl.col("length"), "longest: ", *evidence, f"; limit: {least_buckets}"
    ).with_columns(pl.col("evidence").str.replace("buckets: ", "runs: ", literal=True))


def zero_flatline(measured: Measured) -> pl.DataFrame:
    """Consumption is 0 in every bucket of a day that is covered whole: some base load is always there."""
    whole = measured.series.filter(pl.col("metric") == "consumption").join(
        measured.days.select("day_ix", "day_hours"), on="day_ix", how="inner", validate="1:1"
    )
    whole = whole.filter((pl.col("valid_minutes") / 60 - pl.col("day_hours")).abs() < 1e-9)
    zeros = measured.rows.filter(pl.col("consumption_kw") == 0).join(whole, on="day_ix", how="semi")
    flat = zeros.group_by("day_ix", maintain_order=True).agg(zeros=pl.len(), start=pl.col("start").first())
    flat = flat.join(whole.select("day_ix", "valid_buckets"), on="day_ix", how="inner", maintain_order="left")
    return flat.filter(pl.col("zeros") == pl.col("valid_buckets")).select(
        "day_ix",
        metric=pl.lit("consumption"),
        rule=pl.lit("zero_flatline"),
        evidence=pl.concat_str(pl.lit("buckets: "), "zeros", pl.lit("; all 0 kW from "), time("start"), pl.lit(" on")),
    )


def isolated_zero(measured: Measured) -> pl.DataFrame:
    """`suspect_zero`: one 0 between two buckets that are both above a fifth of the day's peak.

    Generation and consumption only: a battery honestly takes import, export, charge or discharge to 0 for one bucket.
    """
    points, value = measured.points, pl.col("value")
    is_between = (value.shift() > 0) & (value.shift(-1) > 0) & pl.col("follows") & pl.col("follows").shift(-1)
    at = points.select(((value == 0) & is_between).arg_true()).to_series().cast(pl.Int64)
    zeros = (
        points[at]
        .with_columns(before=points["value"].gather(at - 1), after=points["value"].gather(at + 1))
        .filter((pl.col("series_ix") % len(METRICS)).is_in(_NEVER_ZERO_BETWEEN))
    )
    least = PEAK_RATIO_AROUND_ZERO * pl.col("peak")
    zeros = zeros.join(measured.peaks(zeros["series_ix"]), on="series_ix", how="left", maintain_order="left").filter(
        (pl.col("before") > least) & (pl.col("after") > least)
    )
    evidence = ("0 kW at ", time("start"), " between ", figure("before"), " and ", figure("after"), " kW; day's peak: ")
    return of_series("suspect_zero", zeros, -pl.col("start"), *evidence, figure("peak"), " kW")


def all_zero(measured: Measured) -> pl.DataFrame:
    """`suspect_zero` of the day: every available flow is 0 in one bucket, and at least the four without a battery are.

    A home always uses something, so zeros everywhere are an outage that was not sent as null.
    """
    battery_rests = [(pl.col(f"{flow}_kw") == 0) | measured.step(flow).is_null() for flow in _BATTERY]
    zeros = measured.rows.filter(pl.col(f"{flow}_kw") == 0 for flow in _NO_BATTERY).filter(battery_rests)
    return of_day("suspect_zero", None, zeros, -pl.col("start"), "every available flow 0 kW, first at ", time("start"))


def night_generation(measured: Measured, limit_kw: float) -> pl.DataFrame:
    """The PV produces in a bucket that lies between 23:00 and 03:00 local time."""
    begin = pl.col("start_local").dt.hour().cast(pl.Int64) * 60 + pl.col("start_local").dt.minute()
    minutes = measured.step("generation") // MINUTE_US
    is_night = (begin >= NIGHT_BEGINS_MINUTE) | (begin + minutes <= NIGHT_ENDS_MINUTE)
    rows = measured.rows.select("day_ix", "start", "start_local", "generation_kw")
    rows = rows.filter(pl.col("generation_kw") > limit_kw).filter(is_night)
    evidence = (
        figure("generation_kw"),
        " kW at ",
        time("start"),
        f"; limit: {limit_kw:g} kW from 23:00 to 03:00 local time",
    )
    return of_day("night_generation", "generation", rows, pl.col("generation_kw"), "highest: ", *evidence)


def simultaneous(measured: Measured, one: str, other: str, limit_kw: float) -> pl.DataFrame:
    """Both directions flow in one bucket. Told of the first; on different grids nothing is simultaneous."""
    both = measured.rows.filter((pl.col(f"{one}_kw") > limit_kw) & (pl.col(f"{other}_kw") > limit_kw))
    both = both.filter(measured.step(one) == measured.step(other))
    smaller = pl.min_horizontal(f"{one}_kw", f"{other}_kw")
    evidence = (f"{one} ", figure(f"{one}_kw"), f" kW and {other} ", figure(f"{other}_kw"), " kW at ", time("start"))
    return of_day("simultaneous", one, both, smaller, "most: ", *evidence, f"; limit: {limit_kw:g} kW")


def soc_range(measured: Measured) -> pl.DataFrame:
    """A state of charge below 0 or above 100 %."""
    away = (pl.col("soc_pct") - (EMPTY_PCT + FULL_PCT) / 2).abs()
    rows = measured.rows.filter(away > (FULL_PCT - EMPTY_PCT) / 2)
    evidence = (figure("soc_pct"), " % at ", time("start"), f"; limits: {EMPTY_PCT:g} and {FULL_PCT:g} %")
    return of_day("soc_range", SOC, rows, away, "furthest: ", *evidence)


def soc_fraction(measured: Measured) -> pl.DataFrame:
    """A state of charge that moves between 0 and 1 all day: most likely a fraction, read as percent."""
    by_day = measured.rows.filter(pl.col("soc_pct").is_not_null()).group_by("day_ix", maintain_order=True)
    span = by_day.agg(low=pl.col("soc_pct").min(), high=pl.col("soc_pct").max())
    moves = pl.col("high") - pl.col("low") >= LEAST_FRACTION_MOVED
    found = span.filter((pl.col("low") >= 0) & (pl.col("high") <= 1) & moves)
    evidence = (pl.lit("between "), figure("low"), pl.lit(" and "), figure("high"), pl.lit(" % all day: a fraction?"))
    return found.select("day_ix", metric=pl.lit(SOC), rule=pl.lit("soc_fraction"), evidence=pl.concat_str(*evidence))
