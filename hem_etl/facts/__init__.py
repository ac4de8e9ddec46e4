"""What can be said about the data: facts as frames and plain data, the same for every door.

Reads the published file and landing, asks nobody, changes nothing. Doors print what comes from here; whoever wants the
same in SQL finds it in a mart where there is one. Never imports a door's tools: typer, rich, Dagster.
"""

from hem_etl.facts.gaps import Gaps, read_gaps
from hem_etl.facts.systems import known_systems, read_status, read_systems
from hem_etl.facts.tables import query, query_frame

__all__ = ["Gaps", "known_systems", "query", "query_frame", "read_gaps", "read_status", "read_systems"]
