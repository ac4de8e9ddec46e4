"""The code location that `workspace.yaml` points at."""

import dagster as dg

defs = dg.Definitions()
