"""Locks between processes. Each ends with its process, however that dies.

protocol    a lock that one holds, turns at systems, a budget of requests: what each can do
waiting     how one waits, and says so
files       between processes that share a home directory: the operating system keeps them
postgres    between machines that share a lake: a Postgres keeps them (extra `hem_etl[lake]`)
"""

from hem_etl.locks.files import FileLock, FileTurns
from hem_etl.locks.protocol import SOMEBODY, Budget, BusyError, Lock, Note, Turns
from hem_etl.locks.waiting import Patience, telling
from hem_etl.settings import Settings

__all__ = [
    "SOMEBODY",
    "Budget",
    "BusyError",
    "FileLock",
    "FileTurns",
    "Lock",
    "Note",
    "Patience",
    "Turns",
    "make_budget",
    "make_turns",
    "telling",
]


def make_turns(settings: Settings) -> Turns:
    """The turns of everybody who asks with these settings."""
    if (address := settings.shared_postgres) is not None:
        from hem_etl.locks.postgres import PostgresTurns  # psycopg: only where it is needed

        return PostgresTurns(address)
    return FileTurns(settings.work / "turns.lock")


def make_budget(settings: Settings) -> Budget | None:
    """The budget that all who ask with these settings share; None: there is none, or each process keeps its own."""
    address = settings.shared_postgres
    if address is None or not settings.requests_per_second:
        return None
    from hem_etl.locks.postgres import PostgresBudget

    return PostgresBudget(address, settings.requests_per_second)
