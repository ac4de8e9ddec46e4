"""What can be said about the data: facts as frames and plain data, the same for every door.

Reads what is published, and landing, asks nobody, changes nothing. Doors print what comes from here; whoever wants the
same in SQL finds it in a mart where there is one. The SQL stands in `queries/`, one file a question. Never imports a
door's tools: typer, rich, Dagster.
"""

from hem_etl.facts.checks import (
    Checked,
    FailingRows,
    OwnChecked,
    check_again,
    check_own,
    checks_of_the_publish,
    failing_rows,
)
from hem_etl.facts.fleet import (
    STALE_DAYS,
    FirstPage,
    FleetNumbers,
    PublishedNumbers,
    first_page,
    fleet_numbers,
    heartbeat_warning,
    in_need,
    known_systems,
    published_numbers,
    read_relink,
    read_status,
    read_systems,
    waiting_events,
)
from hem_etl.facts.gaps import Gaps, read_gaps
from hem_etl.facts.intervals import (
    IntervalFigures,
    never_asked,
    newest_days_asked,
    read_interval_figures,
    red_intervals,
    stale_systems,
    summed,
)
from hem_etl.facts.meanings import Meaning, meaning_of, read_meanings
from hem_etl.facts.preview import Preview, count_rows, read_previews
from hem_etl.facts.provenance import explain
from hem_etl.facts.reports import DayFacts, FleetFacts, HomeFacts, Period, open_report
from hem_etl.facts.sql import query, query_frame

__all__ = [
    "STALE_DAYS",
    "Checked",
    "DayFacts",
    "FailingRows",
    "FirstPage",
    "FleetFacts",
    "FleetNumbers",
    "Gaps",
    "HomeFacts",
    "IntervalFigures",
    "Meaning",
    "OwnChecked",
    "Period",
    "Preview",
    "PublishedNumbers",
    "check_again",
    "check_own",
    "checks_of_the_publish",
    "count_rows",
    "explain",
    "failing_rows",
    "first_page",
    "fleet_numbers",
    "heartbeat_warning",
    "in_need",
    "known_systems",
    "meaning_of",
    "never_asked",
    "newest_days_asked",
    "open_report",
    "published_numbers",
    "query",
    "query_frame",
    "read_gaps",
    "read_interval_figures",
    "read_meanings",
    "read_previews",
    "read_relink",
    "read_status",
    "read_systems",
    "red_intervals",
    "stale_systems",
    "summed",
    "waiting_events",
]
