"""What stands behind a day's numbers: from the published number back to buckets, flags, versions, hashes and looks.

Reads the published file, and landing only to say whether the raw bodies are still there. Facts only: how they look on a
terminal is `explanation`'s business, how a number follows from its parts is in `figures`.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import duckdb
import polars as pl

from hem_etl.cli.figures import FIGURES, Figure, figures_of, number
from hem_etl.errors import LandingError, UsageError
from hem_etl.landing import Landing
from hem_etl.local_day import Interval, zone_named
from hem_etl.normalise.attribution import ATTRIBUTED_FLOWS, ATTRIBUTION_INPUTS, with_attributed_flows
from hem_etl.vocabulary import FLOWS, LEAST_DENOMINATOR_KWH, METRICS, SOC

Row = dict[str, Any]
Values = dict[datetime, float]
"""Bucket start (UTC) → kW or %."""

SHOWN_IN_ERRORS: Final = 5
AGREES_WITHIN: Final = 1e-9

DAY: Final = "select * from marts.daily_energy where system_id = $system_id and day = $day"
SUMS: Final = "select * from core.day_energy where system_id = $system_id and day = $day"
DUE: Final = "select * from staging.day_flow where system_id = $system_id and day = $day"
GAP: Final = "select * from staging.day_gap where system_id = $system_id and day = $day"
REPORTED: Final = "select * from core.reported_day where system_id = $system_id and day = $day"
HOME: Final = "select battery_capacity_kwh from staging.system where system_id = $system_id"
BOUNDS: Final = "select start_utc, end_utc from core.local_day where timezone = $timezone and day = $day"
LIMITS: Final = "select name, value from core.setting"
READINGS: Final = "select * from core.reading where system_id = $system_id and day = $day order by start_utc"
PEAK: Final = """
select grid_import_kwh as peak_quarter_kwh, grid_import_minutes as peak_quarter_minutes, start_local
from core.interval_15min
where system_id = $system_id and day = $day and start_utc = $at_utc
"""
SERIES: Final = """
select coverage.* exclude (system_id, day, vendor, outcome), held.* exclude (system_id, day, metric, is_known)
from marts.coverage_daily as coverage
left join core.series as held
    on held.system_id = coverage.system_id and held.day = coverage.day and held.metric = coverage.metric
where coverage.system_id = $system_id and coverage.day = $day
"""
RECONCILIATION: Final = """
select flow, integrated_kwh, reported_kwh, difference_kwh, difference_ratio, status
from marts.reconciliation
where system_id = $system_id and day = $day
"""
LEDGER: Final = """
select interval, outcome, http_status, detail, attempts, fetched_at_utc, answered_at_utc, loaded_at_utc, payload_sha256,
    version, state
from core.load
where system_id = $system_id and interval = $interval
"""
FINDINGS: Final = """
select interval, metric, rule, severity, evidence, found_at_utc
from core.finding
where system_id = $system_id and interval in ($interval, $month)
order by metric nulls first, rule, found_at_utc
"""
VERSIONS: Final = "select * from core.day_version where system_id = $system_id and day = $day order by version"
HAS_OVERRIDES: Final = """
select count(*) as tables from duckdb_tables()
where database_name = current_database() and schema_name = 'core' and table_name = 'override'
"""
OVERRIDES: Final = """
select metric, value, author, reason, "start", "end", start_utc, end_utc, valid_from_utc
from core.override
where system_id = $system_id and valid_to_utc is null and $day between first_day and last_day
    and (start_utc is not null or $day between try_cast("start" as date) and try_cast("end" as date))
order by start_utc nulls first, override_id
"""
"""In the order in which they are applied: the last one that covers a bucket counts."""


def explain(
    connection: duckdb.DuckDBPyConnection, landing: Landing, system_id: str, day: date, metric: str | None = None
) -> Row:
    """Everything behind the numbers of a day, as plain data; with `metric` only what concerns that one.

    connection: the published file. Raises UsageError, which says what exists, for an unknown system, day or metric.
    """
    if metric is not None and metric not in (*METRICS, *FIGURES):
        raise UsageError(f"{metric!r} is no metric: take one of {', '.join(METRICS)}, or one of {', '.join(FIGURES)}")
    if any("\ud800" <= char <= "\udfff" for char in system_id):  # bytes of the shell that are no text
        raise UsageError(f"{system_id!r} is none of the systems: `hem-etl systems` lists them")
    system_id = _whole_id(connection, system_id)
    label, month = Interval.of_day(day).label, Interval.of_month(day).label
    figures = figures_of(metric)
    metrics = METRICS if metric is None else tuple(m for m in METRICS if any(m in f.metrics for f in figures))
    of_day = {"system_id": system_id, "day": day}
    facts = _only(_rows(connection, DAY, of_day)) or _nothing_of(connection, system_id, day)
    bounds = _only(_rows(connection, BOUNDS, {"timezone": facts["timezone"], "day": day}))
    overrides = _overrides(connection, of_day, bounds)
    series = {row["metric"]: row for row in _rows(connection, SERIES, of_day)}
    limits = {row["name"]: row["value"] for row in _rows(connection, LIMITS, {})}
    values = _values(_rows(connection, READINGS, of_day), series, overrides, bounds, limits["over_limit_kw"])
    known = _known(connection, facts, of_day, limits) | _sums(values, series, bounds)
    reconciled = {row["flow"]: row for row in _rows(connection, RECONCILIATION, of_day)}
    looks = [
        _only(_rows(connection, LEDGER, {"system_id": system_id, "interval": interval})) or None
        for interval in (label, month)
    ]
    findings = _rows(connection, FINDINGS, {"system_id": system_id, "interval": label, "month": month})
    versions = _rows(connection, VERSIONS, of_day)
    bodies = _bodies(landing, {row["payload_sha256"] for row in (*versions, *looks) if row})
    unknown = [name for name in series if name not in METRICS] if metric is None else []
    return {
        **{name: facts[name] for name in ("system_id", "day", "user_id", "vendor", "timezone", "day_hours")},
        "starts_at_utc": bounds.get("start_utc"),
        "ends_at_utc": bounds.get("end_utc"),
        "outcome": facts["outcome"],
        "state": facts["state"],
        "is_complete": facts["is_complete"],
        "version": versions[-1]["version"] if versions else None,
        "metric": metric,
        "figures": _told_figures(connection, figures, known, facts, series),
        "gap_hours": known["gap_hours"],
        "series": [
            {
                **series[name],
                "not_valid_local": _not_valid(series[name], values.get(name, {}), bounds, facts["timezone"]),
                "reconciliation": _without(reconciled[name], "flow") if name in reconciled else None,
            }
            for name in (*metrics, *unknown)
            if name in series
        ],
        "findings": [row for row in findings if row["metric"] is None or metric is None or row["metric"] in metrics],
        "overrides": [row for row in overrides if row["metric"] in metrics],
        "last_look": looks[0],
        "versions": [
            _told_version(row, versions[place - 1] if place else None, bounds, metrics, bodies)
            for place, row in enumerate(versions)
        ],
        "month_look": None if looks[1] is None else {**looks[1], "raw_body": bodies.get(looks[1]["payload_sha256"])},
    }


def _whole_id(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The id that begins with the text where just one does; any other text stays as it is."""
    begin = "select system_id from staging.system where starts_with(system_id, $text) order by system_id = $text desc"
    ids = [row["system_id"] for row in _rows(connection, begin, {"text": text})]
    return ids[0] if ids and (len(ids) == 1 or ids[0] == text) else text


def _nothing_of(connection: duckdb.DuckDBPyConnection, system_id: str, day: date) -> Row:
    """Raises the UsageError that says what there is instead."""
    of_system = "select day from marts.daily_energy where system_id = $system_id order by day"
    days = [row["day"] for row in _rows(connection, of_system, {"system_id": system_id})]
    if days:
        near = min(days, key=lambda other: abs(other - day))
        raise UsageError(
            f"{system_id!r} has no row for {day}: {len(days)} days from {days[0]} to {days[-1]} are known, "
            f"the nearest is {near}. `hem-etl run --start {day} --end {day}` asks for it."
        )
    systems = [row["system_id"] for row in _rows(connection, "select system_id from staging.system order by 1", {})]
    if system_id in systems:
        raise UsageError(f"{system_id!r} is known, and none of its days was asked yet: `hem-etl run` asks for them.")
    near_ids = [name for name in systems if name.startswith(system_id)] if system_id else []
    near_ids = near_ids or difflib.get_close_matches(system_id, systems, SHOWN_IN_ERRORS) or systems
    shown = ", ".join(map(repr, near_ids[:SHOWN_IN_ERRORS]))
    raise UsageError(
        f"{system_id!r} is none of the {len(systems)} systems of this file, e.g. {shown or 'there is none'}: "
        "`hem-etl status` lists them."
    )


# --- parts -----------------------------------------------------------------------------------------------------------


def _known(connection: duckdb.DuckDBPyConnection, facts: Row, of_day: Row, limits: Row) -> Row:
    """Every part that the tables hold."""
    reported = _only(_rows(connection, REPORTED, of_day))
    peak_at = facts["peak_import_at_utc"]
    peak = _only(_rows(connection, PEAK, {**of_day, "at_utc": peak_at})) if peak_at else {}
    due = _only(_rows(connection, DUE, of_day))
    covered = [facts[f"{flow}_coverage"] for flow in FLOWS]
    return {
        **_only(_rows(connection, SUMS, of_day)),
        **due,
        "gap_hours": None,
        **_only(_rows(connection, GAP, of_day)),
        **_only(_rows(connection, HOME, {"system_id": of_day["system_id"]})),
        **facts,
        **{f"{flow}_month_kwh": reported.get(f"{flow}_kwh") for flow in FLOWS},
        "complete_coverage": limits["complete_coverage"],
        "least_coverage": min((share for share in covered if share is not None), default=None),
        "peak_quarter_kwh": peak.get("peak_quarter_kwh"),
        "peak_quarter_minutes": peak.get("peak_quarter_minutes"),
        "peak_quarter_local": f"{peak['start_local']:%H:%M}" if peak else None,
    }


def _values(
    readings: Sequence[Row], series: Mapping[str, Row], overrides: Sequence[Row], bounds: Row, over_limit_kw: float
) -> dict[str, Values]:
    """Per available metric the values that count: sent, or set by hand; neither null nor over the limit."""
    counted: dict[str, Values] = {}
    for metric in METRICS:
        row = series.get(metric)
        if row is None or not row["is_available"] or not bounds:
            continue
        column = "soc_pct" if metric == SOC else f"{metric}_kw"
        said = {reading["start_utc"]: reading[column] for reading in readings}
        for override in (override for override in overrides if override["metric"] == metric):
            first, last = override["start_utc"] or bounds["start_utc"], override["end_utc"] or bounds["end_utc"]
            said |= {start: override["value"] for start in _grid(row, bounds) if first <= start < last}
        limit = math.inf if metric == SOC else over_limit_kw
        counted[metric] = {
            start: value for start, value in sorted(said.items()) if value is not None and abs(value) <= limit
        }
    return counted


def _sums(values: Mapping[str, Values], series: Mapping[str, Row], bounds: Row) -> Row:
    """What the native buckets add up to, worked out anew: the parts that no table but core.reading holds."""
    parts: Row = {}
    for metric in METRICS:
        counted = values.get(metric, {})
        row = series.get(metric, {})
        parts[f"{metric}_buckets"] = len(counted)
        parts[f"{metric}_bucket_minutes"] = row.get("resolution_minutes")
        if metric in FLOWS:
            weighed = [value * _minutes(start, row, bounds) for start, value in counted.items()]
            parts[f"{metric}_kw_minutes"] = math.fsum(weighed) if weighed else None
    soc = list(values.get(SOC, {}).values())
    parts |= {"soc_first": None, "soc_last": None, "soc_min": None, "soc_max": None}
    if soc:
        parts |= {"soc_first": soc[0], "soc_last": soc[-1], "soc_min": min(soc), "soc_max": max(soc)}
    return parts | _attributed(values, series, bounds)


def _attributed(values: Mapping[str, Values], series: Mapping[str, Row], bounds: Row) -> Row:
    """Attributed flows over the buckets in which all five flows are valid; NULL unless they share one resolution."""
    rows = [series[flow] for flow in ATTRIBUTION_INPUTS if flow in values]
    is_common = len(rows) == len(ATTRIBUTION_INPUTS) and len({row["resolution_minutes"] for row in rows}) == 1
    starts = sorted(set.intersection(*(set(values[flow]) for flow in ATTRIBUTION_INPUTS))) if is_common else []
    if not starts:
        nothing = dict.fromkeys(f"{name}_kw_minutes" for name in ATTRIBUTED_FLOWS)
        return {**nothing, "attributed_buckets": 0}
    flows = pl.DataFrame({flow: [values[flow][start] for start in starts] for flow in ATTRIBUTION_INPUTS})
    minutes = pl.Series([_minutes(start, rows[0], bounds) for start in starts])
    attributed = with_attributed_flows(flows)
    return {
        **{f"{name}_kw_minutes": math.fsum(attributed[name] * minutes) for name in ATTRIBUTED_FLOWS},
        "attributed_buckets": len(starts),
    }


def _minutes(start: datetime, row: Row, bounds: Row) -> float:
    """Length of a bucket of a series; the last one may be cut by the end of the day."""
    left: timedelta = bounds["end_utc"] - start
    return min(float(row["resolution_minutes"]), left / timedelta(minutes=1))


def _grid(row: Row, bounds: Row) -> list[datetime]:
    """Starts of the expected buckets of a series."""
    step = timedelta(minutes=row["resolution_minutes"])
    return [bounds["start_utc"] + place * step for place in range(row["expected_buckets"] or 0)]


# --- what is told ----------------------------------------------------------------------------------------------------


def _told_figures(
    connection: duckdb.DuckDBPyConnection, figures: Sequence[Figure], known: Row, facts: Row, series: Mapping[str, Row]
) -> list[Row]:
    """Each figure with its published value, its formula and parts, and what the parts give when worked out again."""
    names = sorted({name for figure in figures for name in figure.parts})
    lent = ", ".join(f"cast(${name} as double) as {name}" for name in names)
    asked = [f"({figure.expression}), ({figure.denominator or 'null'})" for figure in figures]
    query = f"select {', '.join(asked)} from (select {lent})"  # noqa: S608 - formulas are our own, values are bound
    made = connection.execute(query, {name: known.get(name) for name in names}).fetchall()[0]
    told = []
    for place, figure in enumerate(figures):
        value, again, denominator = facts[figure.name], made[2 * place], made[2 * place + 1]
        parts = {name: known.get(name) for name in figure.parts}
        is_known = value is not None
        told.append(
            {
                "name": figure.name,
                "value": value,
                "unit": figure.unit,
                "formula": figure.expression,
                "parts": parts,
                "recomputed": again if is_known else None,
                "agrees": _agrees(value, again) if is_known else None,
                "text": figure.told(known) if is_known else None,
                "why_null": None if is_known else _why_null(figure, parts, denominator, series),
            }
        )
    return told


def _agrees(value: float, again: float | None) -> bool:
    return again is not None and math.isclose(value, again, rel_tol=AGREES_WITHIN, abs_tol=AGREES_WITHIN)


def _why_null(figure: Figure, parts: Row, denominator: float | None, series: Mapping[str, Row]) -> str:
    if figure.name.endswith("_reported_kwh"):
        return "the vendor reports no value for this day"
    if "battery_capacity_kwh" in parts and parts["battery_capacity_kwh"] is None:
        return "no list of assets tells the battery's capacity"
    if denominator is not None and denominator <= LEAST_DENOMINATOR_KWH:
        return f"the denominator is {number(denominator)} kWh, at most {LEAST_DENOMINATOR_KWH}"
    absent = [
        f"{metric}: {series[metric]['explanation'] or 'not available'}"
        for metric in figure.metrics
        if metric in series and not series[metric]["valid_buckets"]
    ]
    if absent:
        return "; ".join(absent)
    if len({series[metric]["resolution_minutes"] for metric in figure.metrics if metric in series}) > 1:
        return f"{', '.join(figure.metrics)} do not share one resolution"
    if len(figure.metrics) > 1:
        return f"there is no bucket in which all of {', '.join(figure.metrics)} are valid"
    return "nothing is valid"


def _not_valid(row: Row, counted: Values, bounds: Row, timezone: str | None) -> list[list[str]]:
    """Stretches of the local day, as first and last-after wall-clock time, whose buckets do not count."""
    zone = zone_named(timezone)
    if not row["is_available"] or not bounds or zone is None:
        return []
    step = timedelta(minutes=row["resolution_minutes"])
    stretches: list[tuple[datetime, datetime]] = []
    for start in _grid(row, bounds):
        if start in counted:
            continue
        end = min(start + step, bounds["end_utc"])
        if stretches and stretches[-1][1] == start:
            stretches[-1] = stretches[-1][0], end
        else:
            stretches.append((start, end))

    def wall(instant: datetime) -> str:
        return f"{instant.replace(tzinfo=zone_named('UTC')).astimezone(zone):%H:%M}"

    return [[wall(start), wall(end)] for start, end in stretches]


def _overrides(connection: duckdb.DuckDBPyConnection, of_day: Row, bounds: Row) -> list[Row]:
    """Corrections by hand in force on the day; a file of before they existed has none."""
    is_there = _only(_rows(connection, HAS_OVERRIDES, {}))["tables"]
    return [
        row
        for row in (_rows(connection, OVERRIDES, of_day) if is_there else ())
        if not bounds
        or (
            (row["start_utc"] or bounds["start_utc"]) < bounds["end_utc"]
            and (row["end_utc"] or bounds["end_utc"]) > bounds["start_utc"]
        )
    ]


def _told_version(
    row: Row, before: Row | None, bounds: Row, metrics: Sequence[str], bodies: Mapping[str, Row | None]
) -> Row:
    flows = [flow for flow in FLOWS if flow in metrics]
    names = [f"{flow}_{of}" for flow in flows for of in ("kwh", "coverage")]
    end, at = bounds.get("end_utc"), row["fetched_at_utc"]
    return {
        "version": row["version"],
        "cause": row.get("cause"),
        "fetched_at_utc": at,
        "hours_after_day_end": (at - end) / timedelta(hours=1) if at and end else None,
        "payload_sha256": row["payload_sha256"],
        "raw_body": bodies.get(row["payload_sha256"]),
        "applied": row["applied"],
        "was_settled": row["was_settled"],
        "changed": None
        if before is None
        else {name: [before[name], row[name]] for name in names if before[name] != row[name]},
    }


def _bodies(landing: Landing, hashes: set[str | None]) -> dict[str, Row]:
    """Content hash → whether its bytes are in landing (None: landing cannot be read), in which segment, and whole."""
    wanted = {name for name in hashes if name}
    try:
        found = landing.find_bodies(wanted)
    except LandingError as error:
        return {name: {"is_there": None, "segment": None, "is_whole": None, "detail": str(error)} for name in wanted}
    return {
        name: {"is_there": name in found, "segment": segment, "is_whole": is_whole, "detail": None}
        for name in wanted
        for segment, is_whole in (found.get(name, (None, None)),)
    }


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: Row) -> list[Row]:
    used = {name: value for name, value in values.items() if f"${name}" in query}
    cursor = connection.execute(query, used)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _only(rows: Sequence[Row]) -> Row:
    """The row of a key; an empty one where there is none."""
    return rows[0] if rows else {}


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
