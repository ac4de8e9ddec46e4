"""What stands behind a day's numbers: from the published number back to buckets, flags, versions, hashes and looks.

Reads the published file, and landing only to say whether the raw bodies are still there. Facts only: how they look on a
terminal is `explanation`'s business, how a number follows from its parts is in `figures`.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from hem_etl.errors import LandingError, UsageError
from hem_etl.facts.buckets import Row, counted_values, stretches_not_valid, sums_of
from hem_etl.facts.figures import FIGURES, Figure, figures_of, number
from hem_etl.facts.queries import text
from hem_etl.landing import Landing
from hem_etl.local_day import Interval
from hem_etl.vocabulary import FLOWS, LEAST_DENOMINATOR_KWH, METRICS
from hem_etl.warehouse import Reader, Warehouse

SHOWN_IN_ERRORS: Final = 5
AGREES_WITHIN: Final = 1e-9


def explain(warehouse: Warehouse, landing: Landing, system_id: str, day: date, metric: str | None = None) -> Row:
    """Everything behind the numbers of a day, as plain data; with `metric` only what concerns that one.

    `system_id`: an id, or how just one begins. Raises UsageError, which says what exists, for an unknown system, day
    or metric.
    """
    if metric is not None and metric not in (*METRICS, *FIGURES):
        raise UsageError(f"{metric!r} is no metric: take one of {', '.join(METRICS)}, or one of {', '.join(FIGURES)}")
    if any("\ud800" <= char <= "\udfff" for char in system_id):  # bytes of the shell that are no text
        raise UsageError(f"{system_id!r} is none of the systems: `hem-etl systems` lists them")
    with warehouse.reading() as published:
        return _explain(published, landing, _whole_id(published, system_id), day, metric)


def _explain(published: Reader, landing: Landing, system_id: str, day: date, metric: str | None) -> Row:
    label, month = Interval.of_day(day).label, Interval.of_month(day).label
    figures = figures_of(metric)
    metrics = METRICS if metric is None else tuple(m for m in METRICS if any(m in f.metrics for f in figures))
    of_day = {"system_id": system_id, "day": day}
    facts = _only(_of_day(published, "marts.daily_energy", of_day)) or _nothing_of(published, system_id, day)
    bounds = _only(
        published.records(
            "select start_utc, end_utc from core.local_day where timezone = $timezone and day = $day",
            {"timezone": facts["timezone"], "day": day},
        )
    )
    overrides = _overrides(published, of_day, bounds)
    series = {row["metric"]: row for row in published.records(text("explain_series"), of_day)}
    limits = dict(published.rows("core.setting", ["name", "value"]).iter_rows())
    readings = sorted(_of_day(published, "core.reading", of_day), key=lambda row: row["start_utc"])
    values = counted_values(readings, series, overrides, bounds, limits["over_limit_kw"])
    parts = _parts(published, facts, of_day, limits) | sums_of(values, series, bounds)
    reconciled = {row["flow"]: row for row in published.records(text("explain_reconciliation"), of_day)}
    looks = [
        _only(published.records(text("explain_look"), {"system_id": system_id, "interval": interval})) or None
        for interval in (label, month)
    ]
    findings = published.records(text("explain_findings"), {"system_id": system_id, "interval": label, "month": month})
    versions = sorted(_of_day(published, "core.day_version", of_day), key=lambda row: row["version"])
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
        "figures": _figures(published, figures, parts, facts, series),
        "gap_hours": parts["gap_hours"],
        "series": [
            {
                **series[name],
                "not_valid_local": stretches_not_valid(series[name], values.get(name, {}), bounds, facts["timezone"]),
                "reconciliation": _without(reconciled[name], "flow") if name in reconciled else None,
            }
            for name in (*metrics, *unknown)
            if name in series
        ],
        "findings": [row for row in findings if row["metric"] is None or metric is None or row["metric"] in metrics],
        "overrides": [row for row in overrides if row["metric"] in metrics],
        "last_look": looks[0],
        "versions": [
            _version(row, versions[place - 1] if place else None, bounds, metrics, bodies)
            for place, row in enumerate(versions)
        ],
        "month_look": None if looks[1] is None else {**looks[1], "raw_body": bodies.get(looks[1]["payload_sha256"])},
    }


def _whole_id(published: Reader, given: str) -> str:
    """The id that begins with what is given where just one does; else what is given."""
    ids = [name for name in _system_ids(published) if name.startswith(given)]
    return ids[0] if len(ids) == 1 else given


def _system_ids(published: Reader) -> list[str]:
    return published.rows("staging.system", ["system_id"])["system_id"].sort().to_list()


def _nothing_of(published: Reader, system_id: str, day: date) -> Row:
    """Raises the UsageError that says what there is instead."""
    of_system = "select day from marts.daily_energy where system_id = $system_id order by day"
    days = [row["day"] for row in published.records(of_system, {"system_id": system_id})]
    if days:
        near = min(days, key=lambda other: abs(other - day))
        raise UsageError(
            f"{system_id!r} has no row for {day}: {len(days)} days from {days[0]} to {days[-1]} are known, "
            f"the nearest is {near}. `hem-etl run --start {day} --end {day}` asks for it."
        )
    systems = _system_ids(published)
    if system_id in systems:
        raise UsageError(f"{system_id!r} is known, and none of its days was asked yet: `hem-etl run` asks for them.")
    near_ids = [name for name in systems if name.startswith(system_id)] if system_id else []
    near_ids = near_ids or difflib.get_close_matches(system_id, systems, SHOWN_IN_ERRORS) or systems
    examples = ", ".join(map(repr, near_ids[:SHOWN_IN_ERRORS]))
    raise UsageError(
        f"{system_id!r} is none of the {len(systems)} systems of this file, e.g. {examples or 'there is none'}: "
        "`hem-etl status` lists them."
    )


def _parts(published: Reader, facts: Row, of_day: Row, limits: Row) -> Row:
    """Every part that the tables hold."""
    reported = _only(_of_day(published, "core.reported_day", of_day))
    peak_at = facts["peak_import_at_utc"]
    peak = _only(published.records(text("explain_peak"), {**of_day, "at_utc": peak_at})) if peak_at else {}
    due = _only(_of_day(published, "staging.day_flow", of_day))
    covered = [facts[f"{flow}_coverage"] for flow in FLOWS]
    return {
        **_only(_of_day(published, "core.day_energy", of_day)),
        **due,
        "gap_hours": None,
        **_only(_of_day(published, "staging.day_gap", of_day)),
        **_only(
            published.records("select battery_capacity_kwh from staging.system where system_id = $system_id", of_day)
        ),
        **facts,
        **{f"{flow}_month_kwh": reported.get(f"{flow}_kwh") for flow in FLOWS},
        "complete_coverage": limits["complete_coverage"],
        "least_coverage": min((share for share in covered if share is not None), default=None),
        "peak_quarter_kwh": peak.get("peak_quarter_kwh"),
        "peak_quarter_minutes": peak.get("peak_quarter_minutes"),
        "peak_quarter_local": f"{peak['start_local']:%H:%M}" if peak else None,
    }


def _figures(
    published: Reader, figures: Sequence[Figure], parts: Row, facts: Row, series: Mapping[str, Row]
) -> list[Row]:
    """Each figure with its published value, its formula and parts, and what the parts give when worked out again."""
    names = sorted({name for figure in figures for name in figure.parts})
    lent = ", ".join(f"cast(${name} as double) as {name}" for name in names)
    wanted = [
        f"({figure.expression}) as again_{place}, ({figure.denominator or 'null'}) as denominator_{place}"
        for place, figure in enumerate(figures)
    ]
    query = f"select {', '.join(wanted)} from (select {lent})"  # noqa: S608 - formulas are our own, values are bound
    (made,) = published.records(query, {name: parts.get(name) for name in names})
    rows = []
    for place, figure in enumerate(figures):
        value, again, denominator = facts[figure.name], made[f"again_{place}"], made[f"denominator_{place}"]
        own = {name: parts.get(name) for name in figure.parts}
        is_known = value is not None
        rows.append(
            {
                "name": figure.name,
                "value": value,
                "unit": figure.unit,
                "formula": figure.expression,
                "parts": own,
                "recomputed": again if is_known else None,
                "agrees": _agrees(value, again) if is_known else None,
                "text": figure.spelled(parts) if is_known else None,
                "why_null": None if is_known else _why_null(figure, own, denominator, series),
            }
        )
    return rows


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


def _overrides(published: Reader, of_day: Row, bounds: Row) -> list[Row]:
    """Corrections by hand in force on the day."""
    return [
        row
        for row in published.records(text("explain_overrides"), of_day)
        if not bounds
        or (
            (row["start_utc"] or bounds["start_utc"]) < bounds["end_utc"]
            and (row["end_utc"] or bounds["end_utc"]) > bounds["start_utc"]
        )
    ]


def _version(
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


def _of_day(published: Reader, relation: str, of_day: Row) -> list[Row]:
    """The relation's rows of that system and day."""
    query = f"select * from {relation} where system_id = $system_id and day = $day"  # noqa: S608 - our own names
    return published.records(query, of_day)


def _only(rows: Sequence[Row]) -> Row:
    """The row of a key; an empty one where there is none."""
    return rows[0] if rows else {}


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
