"""The rules of validation: the findings that a batch of days gives, as the tables will hold it. No rule edits a value.

Here are `judge` and the rules that follow from counts: structure, gaps, limits, the balance of the day. Rules that
look at the course of values are `plausibility`'s, those that compare with the day before `neighbours`'.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from hem_etl.normalise.evidence import FOUND_SCHEMA, figure, of_series, time
from hem_etl.normalise.frames import FINDING_SCHEMA, Days, gated
from hem_etl.normalise.measured import RANK, Measured, measured
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
            "day", "system_id", "rule", pl.col("metric").replace_strict(RANK, default=len(METRICS)), maintain_order=True
        )
        .select(FINDING_SCHEMA.names())
    )
    return gated(findings, FINDING_SCHEMA, key=("system_id", "day", "metric", "rule"))


def _odd_stamps(days: Days, seen: Measured) -> pl.DataFrame:
    """What core.series counts, with the earliest stamp as it was sent; a kept series keeps its counts alone."""
    key = ["system_id", "day", "metric"]
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
    told = ("lowest: ", figure("value"), " kW at ", time("start"), f"; limit: {NEGATIVE_BELOW_KW:g} kW")
    return of_series("negative", below, -pl.col("value"), *told)


def _over_limit(days: Days, seen: Measured) -> pl.DataFrame:
    """Beyond the limit by absolute value: kept in core.reading, left out of energy and coverage."""
    told = ("largest: ", figure("value"), " kW at ", time("start"), f"; limit: {days.over_limit_kw:g} kW")
    return of_series("over_limit", seen.over_limit, pl.col("value").abs(), *told)


def _balance(energy: pl.DataFrame, days: pl.DataFrame, tolerance: Mapping[str, float]) -> pl.DataFrame:
    """|sources − sinks| ÷ the greater one, over the buckets in which all six flows are valid."""
    sources, sinks = pl.col("balance_sources_kwh"), pl.col("balance_sinks_kwh")
    greater = pl.max_horizontal(sources, sinks)
    return (
        days.with_columns(tolerance=pl.Series([tolerance[each] for each in days["system_id"]], dtype=pl.Float64))
        .join(energy, on=["system_id", "day"], how="inner", validate="1:1", maintain_order="left")
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
