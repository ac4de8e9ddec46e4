"""What DuckDB says when it refuses, whichever engine keeps the tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from hem_etl.errors import HemEtlError

INTERRUPTED: Final = "Query interrupted"
"""What DuckDB makes of a Ctrl-C that comes while it works."""


def first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0]


@contextmanager
def interruptible() -> Iterator[None]:
    """A Ctrl-C is one, also while DuckDB works."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == INTERRUPTED:
            raise KeyboardInterrupt from error
        raise


@contextmanager
def read_by_this_version(published: str) -> Iterator[None]:
    """HemEtlError where what is published lacks what is read of it."""
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise HemEtlError(
            f"{published} lacks what this version reads ({first_line(error)}): another version published it. "
            "`hem-etl rebuild` publishes it anew from landing, without the API."
        ) from error
