"""Tags of runs: why there is one, when it is its turn, and whether it is part of a larger whole."""

from typing import Final

import dagster as dg

WHY: Final = "hem_etl/why"
"""`dagster.yaml` lets one run of each reason be under way."""
PRIORITY: Final = "dagster/priority"
LONGEST: Final = {"dagster/max_runtime": str(20 * 60 * 60)}
"""Seconds. A run that a crash of the machine left `started` is failed before the next day's, which want its place."""
LATER: Final = {"hem_etl/publishes": "later"}
"""A part: it asks for no list of the fleet, and the sensor `publish` has it published when all parts are over."""


def is_part(run: dg.DagsterRun) -> bool:
    """Whether it leaves the fleet's list and publishing to another run."""
    return run.tags.items() >= LATER.items()
