"""What reading a body finds out about it. Rules that judge values work on the frames of a whole batch and come after.

A finding names the rule and carries the evidence; it never changes a value.
"""

from collections.abc import Iterator, Sequence

from hem_etl.normalise.envelopes import Envelope, shown
from hem_etl.normalise.frames import Body, naive
from hem_etl.vocabulary import Severity

Finding = tuple[object, ...]
"""A row of FINDING_SCHEMA."""


def finding(body: Body, metric: str | None, rule: str, severity: Severity, evidence: str) -> Finding:
    return (body.system_id, body.interval.day, metric, rule, severity, evidence, naive(body.fetched_at))


def zone_findings(body: Body, zone_name: str | None, envelopes: Sequence[Envelope]) -> Iterator[Finding]:
    """`unknown_timezone`: nothing is available, and nobody states a zone we know.

    `timezone_disagrees`: a series states another zone than was used.
    """
    stated = {
        each.wire_name: each.timezone for each in envelopes if each.is_known and each.is_available and each.timezone
    }
    others = ", ".join(f"{name} states {shown(zone)}" for name, zone in stated.items() if zone != zone_name)
    if zone_name is None:
        evidence = f"no known zone: {others or 'none is stated'}; the system's is {shown(body.zone)}"
        yield finding(body, None, "unknown_timezone", Severity.WARNING, evidence)
    elif others:
        evidence = f"read in {shown(zone_name)}, but {others}"
        yield finding(body, None, "timezone_disagrees", Severity.WARNING, evidence)
