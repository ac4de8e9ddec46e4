"""All of it or nothing: what a transaction begins and ends with, for the tables' writer and the models' maker alike.

One writer at a time: the lock that it holds meanwhile, whoever keeps that (`only_writer`, `writer_of`).

Where several machines can write, a lock that its holder lost without knowing must not let two commit. So there each
transaction replaces the one row of a fence (`raise_fence`): it stands only if the row is still the one that this
connection found when it was opened, or its own, and of two transactions at once the second to commit is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import duckdb

from hem_etl.errors import WriterBusyError
from hem_etl.locks import SOMEBODY, BusyError, Lock

FENCE: Final = "writer.fence"
_EXPECTED: Final = "hem_etl_fence"
"""The connection's variable: the row's token as found, and the connection's own. Not set: there is no fence."""


@contextmanager
def only_writer(lock: Lock, who: str) -> Iterator[None]:
    """WriterBusyError, which names the holder, where another does not let go in time. who: this one, for people."""
    try:
        with lock.hold() as note:
            note(who)
            yield
    except BusyError as error:
        raise WriterBusyError(error.holder or SOMEBODY, error.waited_seconds) from None


def writer_of(lock: Lock) -> str | None:
    """Who holds it now, for people; None: nobody."""
    noted = lock.holder()
    return None if noted is None else noted or SOMEBODY


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """WriterBusyError where another connection has taken the fence: nothing of the transaction stands."""
    con.begin()
    try:
        _replace_fence(con)
        yield
    except BaseException:
        with suppress(duckdb.Error):  # a torn file ends the transaction by itself
            con.rollback()
        raise
    con.commit()


def raise_fence(con: duckdb.DuckDBPyConnection, token: str, holder: str) -> None:
    """From here on this connection's transactions stand only as long as no other connection's has stood since.

    Call it under the lock, before anything is read that a transaction builds on. holder: for people.
    """
    if not con.execute("select 1 from duckdb_tables() where schema_name || '.' || table_name = ?", [FENCE]).fetchall():
        with transaction(con):
            con.execute(f"create schema {FENCE.split('.')[0]}")
            con.execute(f"create table {FENCE} (token varchar not null, holder varchar not null)")
            con.execute(f"insert into {FENCE} values ('nobody', 'nobody')")
    ((found,),) = con.execute(f"select token from {FENCE}").fetchall()
    con.execute(f"set variable {_EXPECTED} = {{'found': ?, 'own': ?, 'holder': ?}}", [found, token, holder])


def _replace_fence(con: duckdb.DuckDBPyConnection) -> None:
    ((expected,),) = con.execute("select getvariable($name)", {"name": _EXPECTED}).fetchall()
    if expected is None:
        return
    tokens = [expected["found"], expected["own"]]
    if con.execute(f"delete from {FENCE} where token in (?, ?)", tokens).fetchall() != [(1,)]:
        ((other,),) = con.execute(f"select holder from {FENCE}").fetchall()
        raise WriterBusyError(other, 0)
    con.execute(f"insert into {FENCE} values (?, ?)", [expected["own"], expected["holder"]])
