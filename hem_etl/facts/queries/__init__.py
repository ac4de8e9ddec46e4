"""The questions that doors ask, as text: one file each, which also runs in a DuckDB shell on the published file.

A file names what it is given: frames by their names, values as `$name`.
"""

from functools import cache
from importlib.resources import files


@cache
def text(name: str) -> str:
    """The SQL of a question."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
