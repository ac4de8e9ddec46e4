"""The road from Enode's API to the published DuckDB file, and the rules of what is asked, when, and what it means.

    road ─▶ planning (what is due) ─▶ extraction (ask and land) ─▶ loading (landed → tables) with ledger and fleet

Doors (the command line, Dagster) import from here. Never imports Dagster.
"""

from hem_etl.pipeline.clients import make_client
from hem_etl.pipeline.events import Backlog, backlog
from hem_etl.pipeline.planning import Plan, Request
from hem_etl.pipeline.report import OverridesReport, Progress, RunReport
from hem_etl.pipeline.road import Road

__all__ = ["Backlog", "OverridesReport", "Plan", "Progress", "Request", "Road", "RunReport", "backlog", "make_client"]
