"""What a plan and a run look like on paper."""

from datetime import timedelta
from typing import Any, Final

import polars as pl

from hem_etl.cli.output import print_json, print_rows, print_table, say
from hem_etl.pipeline import Plan, RunReport
from hem_etl.pipeline.planning import ASSUMED_SECONDS
from hem_etl.settings import Settings
from hem_etl.vocabulary import IntervalKind

FAILURES_SHOWN: Final = 20


def print_plan(plan: Plan, settings: Settings, *, is_json: bool) -> None:
    """What a run would ask, and about how long it would take."""
    seconds = round(plan.seconds(settings.requests_per_second, settings.max_in_flight))
    counts: dict[str, Any] = {
        "systems": plan.fleet_size,
        "systems_asked": len(plan.systems),
        "days": plan.count(IntervalKind.DAY),
        "months": plan.count(IntervalKind.MONTH),
        "requests": plan.requests,
        "not_due": plan.not_due,
        "not_begun": plan.not_begun,
    }
    if is_json:
        print_json(counts | {"estimated_seconds": seconds, "seconds_per_request": plan.seconds_per_request})
        return
    print_rows(pl.DataFrame({"what": list(counts), "count": list(counts.values())}))
    budget = f" and {settings.requests_per_second:g} requests/s" if settings.requests_per_second else ""
    each = (
        f"{plan.seconds_per_request:.2g} s a request, the median of the looks before"
        if plan.seconds_per_request is not None
        else f"{ASSUMED_SECONDS:g} s a request, an assumption: nothing was asked yet"
    )
    say(f"About {timedelta(seconds=seconds)} with {settings.max_in_flight} in flight{budget} ({each}).")


def print_report(report: RunReport, *, is_json: bool) -> None:
    """What a run did; failed intervals by name, so that nobody has to guess what is missing."""
    if is_json:
        print_json(report.facts())
        return
    if report.list_failure:
        say(f"The list of systems is incomplete ({report.list_failure}): went on with the systems that are known.")
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(report.outcomes.items())) or "nothing was due"
    say(f"{report.fleet_size} systems, {report.asked} intervals asked: {outcomes}. {report.not_due} were not due.")
    say(
        f"{report.requests} requests, {report.body_bytes / 1e6:.1f} MB; {report.new_days} new days, "
        f"{report.changed_days} changed, {report.unchanged} unchanged; {report.seconds:.1f} s."
    )
    if report.recut:
        labels = [interval.label for _, interval in report.recut]
        say(
            f"The rules of a time zone changed: {len(report.recut)} intervals from {min(labels)} to {max(labels)} were "
            "cut anew from what is landed; what their new bounds lack is not covered until the vendor sends it."
        )
    if report.failed:
        names = list(report.failed[0])
        rows = [tuple(row.values()) for row in report.failed[:FAILURES_SHOWN]]
        title = f"{len(report.failed)} intervals failed; the next run asks for them again"
        print_table(names, rows, title=title, total=len(report.failed))
    for check in report.warnings:
        say(f"check {check.name} does not hold: {check.failing_rows} rows (`hem-etl check` shows them)")
    say(f"Published {report.published}")
