"""The rules of validation: the findings that a batch of days gives, as the tables will hold it. No rule edits a value.

Here are `judge` and the rules that follow from counts: structure, gaps, limits, the balance of the day. Rules that
look at the course of values are `plausibility`'s. Rules that compare a day with the day before are judged apart, on
what the tables hold of both, because each of the two may come, or change, after the other.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from hem_etl.local_day import first_instant, zone_named
from hem_etl.normalise.frames import DAY_KEY, FINDING_SCHEMA, METRIC_RANK, SERIES_KEY, Days, gated
from hem_etl.normalise.measured import FOUND_SCHEMA, Measured, figure, measured, of_series, time
from hem_etl.normalise.plausibility import Thresholds, implausible
from hem_etl.vocabulary import FLOWS, LEAST_DENOMINATOR_KWH, METRICS, NEGATIVE_BELOW_KW, Severity

STRUCTURE: Final = {
    "duplicate_bucket": "duplicate_buckets",
    "phantom_bucket": "offset_mismatch_buckets",
    "off_grid": "off_grid_buckets",
    "outside_day": "outside_day_buckets",
    "offset_mismatch": "offset_mismatch_buckets",
}
"""Rule of structure → the count of core.series without which it is not broken."""
BALANCE: Final = "balance"
BALANCE_FAILS_ABOVE: Final = 0.10
DAY_BEFORE: Final = "the day before: "
"""How their evidence begins: `series_vanished` is also found within one day, when a body loses a series."""
DAYS_OVERLAP: Final = "days_overlap"
DAYS_APART: Final = "days_apart"
SERIES_COLUMNS: Final = (
    *SERIES_KEY,
    "is_known",
    "is_available",
    "absence",
    "unit",
    "resolution_minutes",
    "valid_buckets",
)
"""What is read of core.series."""


def judge(
    days: Days, energy: pl.DataFrame, thresholds: Thresholds, balance_tolerance: Mapping[str, float]
) -> pl.DataFrame:
    """Findings of all rules but those that compare with the day before: one per system, day, metric and rule.

    days: after `keep_vanished`; its own findings are not repeated. energy: what `day_energy` makes of them.
    balance_tolerance: the highest ratio that is no finding, of each system; KeyError where one lacks.
    """
    seen = measured(days)
    found = [
        _odd_stamps(days, seen),
        _gap(seen),
        _negative(seen),
        _over_limit(days, seen),
        *implausible(seen, thresholds),
        _balance(energy, seen.days, balance_tolerance),
    ]
    return _findings(found, seen.days)


def judge_balance(days: pl.DataFrame, energy: pl.DataFrame, balance_tolerance: Mapping[str, float]) -> pl.DataFrame:
    """The findings of the rule `balance` alone. days: system_id, day, fetched_at_utc; the rest as for `judge`."""
    numbered = days.with_row_index("day_ix")
    return _findings([_balance(energy, numbered, balance_tolerance)], numbered)


def compare_with_day_before(series: pl.DataFrame, keys: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
    """`series_vanished`, `resolution_changed`, `unit_changed` of the known series of the days in `keys`.

    series: SERIES_COLUMNS of these days and of the days before them. fetched: system_id, day and the newest
    fetched_at_utc of each; a finding's time is the later one of its two days.
    """
    both_days = series.filter("is_known").join(fetched, on=DAY_KEY, how="left", validate="m:1")
    before = both_days.with_columns(pl.col("day").dt.offset_by("1d"))
    pairs = both_days.join(keys, on=DAY_KEY, how="semi").join(before, on=SERIES_KEY, how="inner", suffix="_before")
    both = pl.col("is_available") & pl.col("is_available_before")
    found = [
        _against_day_before(
            pairs.filter(pl.col("is_available_before") & ~pl.col("is_available")),
            "series_vanished",
            pl.col("valid_buckets_before").cast(pl.String) + " valid buckets",
            pl.lit("not available, ") + pl.col("absence").fill_null("no reason given"),
        ),
        _against_day_before(
            pairs.filter(both & pl.col("resolution_minutes").ne_missing(pl.col("resolution_minutes_before"))),
            "resolution_changed",
            pl.format("{} min", "resolution_minutes_before"),
            pl.format("{} min", "resolution_minutes"),
        ),
        _against_day_before(
            # a unit that is read is one we know: nothing else from outside gets into the evidence
            pairs.filter(both & pl.col("unit").ne_missing(pl.col("unit_before"))),
            "unit_changed",
            pl.col("unit_before").fill_null("none"),
            pl.col("unit").fill_null("none"),
        ),
    ]
    return gated(pl.concat(found).sort(*SERIES_KEY, "rule"), FINDING_SCHEMA, key=(*SERIES_KEY, "rule"))


def compare_bounds(days: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """`days_overlap`, `days_apart` of the days in `keys`: the days of a system must tile time, also in another zone.

    days: system_id, day, timezone, fetched_at_utc of these days and of the days before them, those with a zone.
    """
    before = days.with_columns(pl.col("day").dt.offset_by("1d"))
    pairs = days.join(keys, on=DAY_KEY, how="semi").join(before, on=DAY_KEY, how="inner", suffix="_before")
    found = []
    for row in pairs.filter(pl.col("timezone") != pl.col("timezone_before")).iter_rows(named=True):
        zone, zone_before = zone_named(row["timezone"]), zone_named(row["timezone_before"])
        if zone is None or zone_before is None:
            continue
        shared = first_instant(row["day"], zone_before) - first_instant(row["day"], zone)
        hours = shared.total_seconds() / 3600
        if hours:
            what = f"{hours:g} h are in both days" if hours > 0 else f"{-hours:g} h are in none of the two"
            evidence = f"{DAY_BEFORE}in {row['timezone_before']}; now: in {row['timezone']}: {what}"
            at = max(row["fetched_at_utc"], row["fetched_at_utc_before"])
            rule = DAYS_OVERLAP if hours > 0 else DAYS_APART
            found.append((row["system_id"], row["day"], None, rule, Severity.WARNING.value, evidence, at))
    return gated(pl.DataFrame(found, schema=FINDING_SCHEMA, orient="row"), FINDING_SCHEMA)


def _findings(found: Sequence[pl.DataFrame], days: pl.DataFrame) -> pl.DataFrame:
    findings = (
        pl.concat(gated(each, FOUND_SCHEMA) for each in found)
        .join(days, on="day_ix", how="left", validate="m:1", maintain_order="left")
        .with_columns(
            severity=pl.when(pl.col("rule").is_in(list(STRUCTURE)))
            .then(pl.lit(Severity.ERROR.value))
            .otherwise(pl.lit(Severity.WARNING.value)),
            found_at_utc="fetched_at_utc",
        )
        .sort(
            "day",
            "system_id",
            "rule",
            pl.col("metric").replace_strict(METRIC_RANK, default=len(METRICS)),
            maintain_order=True,
        )
        .select(FINDING_SCHEMA.names())
    )
    return gated(findings, FINDING_SCHEMA, key=(*SERIES_KEY, "rule"))


def _odd_stamps(days: Days, seen: Measured) -> pl.DataFrame:
    """What core.series counts, with the earliest stamp as it was sent; a kept series keeps its counts alone."""
    key = [*SERIES_KEY]
    counted = pl.concat(
        seen.series.filter(pl.col(count) > 0).select("day_ix", *key, rule=pl.lit(rule), counted=count)
        for rule, count in STRUCTURE.items()
    )
    return (
        counted.join(days.odd_stamps, on=[*key, "rule"], how="left", validate="1:1", maintain_order="left")
        # what is a phantom among the mismatches is known from the stamps alone
        .filter((pl.col("rule") != "phantom_bucket") | pl.col("points").is_not_null())
        .select(
            "day_ix",
            "metric",
            "rule",
            evidence=pl.concat_str(
                pl.lit("points: "),
                pl.when(pl.col("rule") == "phantom_bucket").then("points").otherwise("counted"),
                pl.lit("; first: ") + pl.col("example"),
                ignore_nulls=True,
            ),
        )
    )


def _gap(seen: Measured) -> pl.DataFrame:
    """Expected buckets that were not sent; the longest stretch is one without valid values, as a reader sees it."""
    holed = seen.series.filter(pl.col("missing_buckets") > 0)
    flows = pl.col("metric").is_in(FLOWS)
    soc = _soc_points(seen, holed.filter(~flows))
    points = pl.concat([seen.points_of(holed.filter(flows)["series_ix"]).select("series_ix", "k"), soc])
    bounds = holed.select("series_ix", k=pl.lit(-1, pl.Int32)), holed.select("series_ix", k="expected_buckets")
    stretches = (
        pl.concat([points, *bounds])
        .sort("series_ix", "k")
        .with_columns(length=pl.col("k").shift(-1).over("series_ix") - pl.col("k") - 1)
        .group_by("series_ix", maintain_order=True)
        .agg(pl.col("k").get(pl.col("length").arg_max()), pl.col("length").max())
    )
    begin = pl.col("start") + (pl.col("k") + 1) * pl.col("step")
    return (
        holed.join(stretches, on="series_ix", how="left", validate="1:1", maintain_order="left")
        .join(seen.days.select("day_ix", "start"), on="day_ix", how="left", validate="m:1", maintain_order="left")
        .select(
            "day_ix",
            "metric",
            rule=pl.lit("gap"),
            evidence=pl.concat_str(
                pl.lit("buckets: "),
                "missing_buckets",
                pl.lit(" of "),
                "expected_buckets",
                pl.lit(" not sent; longest without a valid value: "),
                "length",
                pl.lit(" from "),
                time(begin),
            ),
        )
    )


def _soc_points(seen: Measured, holed: pl.DataFrame) -> pl.DataFrame:
    """series_ix and k of the states of charge of these series."""
    own = holed.select("day_ix", "series_ix", "step").join(seen.days.select("day_ix", day_start="start"), on="day_ix")
    rows = seen.rows.filter(pl.col("soc_pct").is_not_null()).select("day_ix", "start")
    k = ((pl.col("start") - pl.col("day_start")) // pl.col("step")).cast(pl.Int32)
    return rows.join(own, on="day_ix", how="inner", validate="m:1").select("series_ix", k=k)


def _negative(seen: Measured) -> pl.DataFrame:
    """Below −0.001 kW: counted as sent, kept in the sums."""
    below = seen.points.filter(pl.col("value") < NEGATIVE_BELOW_KW)
    evidence = ("lowest: ", figure("value"), " kW at ", time("start"), f"; limit: {NEGATIVE_BELOW_KW:g} kW")
    return of_series("negative", below, -pl.col("value"), *evidence)


def _over_limit(days: Days, seen: Measured) -> pl.DataFrame:
    """Beyond the limit by absolute value: kept in core.reading, left out of energy and coverage."""
    evidence = ("largest: ", figure("value"), " kW at ", time("start"), f"; limit: {days.over_limit_kw:g} kW")
    return of_series("over_limit", seen.over_limit, pl.col("value").abs(), *evidence)


def _balance(energy: pl.DataFrame, days: pl.DataFrame, tolerance: Mapping[str, float]) -> pl.DataFrame:
    """|sources − sinks| ÷ the greater one, over the buckets in which all six flows are valid."""
    sources, sinks = pl.col("balance_sources_kwh"), pl.col("balance_sinks_kwh")
    greater = pl.max_horizontal(sources, sinks)
    return (
        days.with_columns(tolerance=pl.Series([tolerance[each] for each in days["system_id"]], dtype=pl.Float64))
        .join(energy, on=DAY_KEY, how="inner", validate="1:1", maintain_order="left")
        .filter(greater > LEAST_DENOMINATOR_KWH)
        .with_columns(ratio=(sources - sinks).abs() / greater)
        .filter(pl.col("ratio") > pl.col("tolerance"))
        .select(
            "day_ix",
            metric=pl.lit(None, pl.String),
            rule=pl.lit(BALANCE),
            evidence=pl.concat_str(
                pl.when(pl.col("ratio") <= BALANCE_FAILS_ABOVE).then(pl.lit("warn")).otherwise(pl.lit("fail")),
                pl.lit(": ratio "),
                figure("ratio"),
                pl.lit("; sources "),
                figure(sources),
                pl.lit(" kWh, sinks "),
                figure(sinks),
                pl.lit(" kWh; tolerance: "),
                figure("tolerance"),
            ),
        )
    )


def _against_day_before(pairs: pl.DataFrame, rule: str, before: pl.Expr, now: pl.Expr) -> pl.DataFrame:
    return pairs.select(
        *SERIES_KEY,
        rule=pl.lit(rule),
        severity=pl.lit(Severity.WARNING.value),
        evidence=pl.concat_str(pl.lit(DAY_BEFORE), before, pl.lit("; now: "), now),
        # a day that was never loaded has no time of its own
        found_at_utc=pl.max_horizontal("fetched_at_utc", "fetched_at_utc_before"),
    )
