"""The command line: a door onto the road. Reads settings and options, calls one verb, prints what came of it.

Data go to standard output, everything else to standard error, so `--json` can be piped. Exit codes: 0 every interval
has a known outcome, 3 some intervals failed, 2 wrong use, settings, credentials or access, 1 anything else, 130
interrupted.
"""

from hem_etl.cli.app import main

__all__ = ["main"]
