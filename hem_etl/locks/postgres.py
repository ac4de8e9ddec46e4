"""Locks, turns and a budget between machines: advisory locks of Postgres sessions, and one row.

A session's locks end with it, so with its process, its machine or its network: 8 ms after a kill. They need a session
of their own from the first statement to the last: no pooler that hands a session on to another (transaction mode).
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

from pydantic import SecretStr

from hem_etl.errors import HemEtlError, SettingsError
from hem_etl.locks.protocol import Note
from hem_etl.locks.waiting import Patience

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
except ModuleNotFoundError as error:
    raise SettingsError("a lake on Postgres needs psycopg: `pip install 'hem_etl[lake]'` brings it.") from error

TURN_POLL_SECONDS: Final = 0.02
CONNECT_SECONDS: Final = 10
LONGEST_NOTE: Final = 63
"""Bytes of a session's name."""
HOLDER: Final = """
select activity.application_name from pg_locks as locks join pg_stat_activity as activity using (pid)
where locks.locktype = 'advisory' and locks.granted and locks.objsubid = 1
  and locks.database = (select oid from pg_database where datname = current_database())
  and (locks.classid::bigint << 32 | locks.objid::bigint) = %s
"""
MAKE_BUDGET: Final = """
create schema if not exists hem_etl;
create table if not exists hem_etl.budget (one boolean primary key check (one), next_at timestamptz not null);
insert into hem_etl.budget values (true, clock_timestamp()) on conflict do nothing
"""
RESERVE: Final = """
update hem_etl.budget set next_at = greatest(next_at, clock_timestamp()) + make_interval(secs => %s)
returning extract(epoch from next_at - clock_timestamp())::float8
"""


def read_address(address: SecretStr) -> tuple[dict[str, Any], str, str | None]:
    """What a Postgres URL says, as libpq names it; the same as libpq's own text; the password, which neither tells.

    SettingsError where it cannot be read.
    """
    try:
        facts = conninfo_to_dict(address.get_secret_value())
    except psycopg.ProgrammingError:  # whose text may hold a piece of the address
        raise SettingsError(
            "HEM_ETL_LAKE_CATALOG cannot be read as a Postgres URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "what is special in a password written as %XX."
        ) from None
    password = facts.pop("password", None)
    return facts, make_conninfo("", **facts), None if password is None else str(password)


@contextmanager
def session(address: SecretStr, name: str = "hem_etl") -> Iterator[psycopg.Connection[Any]]:
    """A session that commits each statement. HemEtlError where there is none to be had; it never tells the address."""
    with said_without_secrets(), closing(connected(address, name)) as connection:
        yield connection


@contextmanager
def said_without_secrets() -> Iterator[None]:
    """What Postgres refuses as our error; the address, which may be quoted in it where it is malformed, left out."""
    try:
        yield
    except psycopg.OperationalError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise HemEtlError(
            f"Postgres of HEM_ETL_LAKE_CATALOG: {lines[0]}: see that it runs and lets this user in, then run again. "
            "What was fetched stays landed."
        ) from None


def connected(address: SecretStr, name: str) -> psycopg.Connection[Any]:
    """Close it; psycopg.OperationalError where it cannot be had."""
    return psycopg.connect(
        address.get_secret_value(),
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name=name[:LONGEST_NOTE],
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


class PostgresLock:
    """A Lock that a Postgres keeps."""

    def __init__(self, address: SecretStr, what: str, patience: Patience | None = None) -> None:
        """what: it is called so where somebody waits for it; locks of another name are others."""
        self._address = address
        self._what = what
        self._key = _key(f"lock {what}")
        self._patience = patience or Patience()

    @contextmanager
    def hold(self) -> Iterator[Note]:
        """HemEtlError where Postgres is out of reach; that the session was lost meanwhile is not noticed here."""
        with session(self._address) as connection:
            self._patience.wait_for(
                self._what,
                lambda: bool(the_only(connection, "select pg_try_advisory_lock(%s)", self._key)),
                lambda: self._noted(connection) or "",
            )

            def note(text: str) -> None:
                connection.execute("select set_config('application_name', %s, false)", [text[:LONGEST_NOTE]])

            try:
                yield note
            finally:
                with suppress(psycopg.Error):  # a session that is gone holds nothing
                    connection.execute("select pg_advisory_unlock(%s)", [self._key])

    def holder(self) -> str | None:
        with session(self._address) as connection:
            return self._noted(connection)

    def _noted(self, connection: psycopg.Connection[Any]) -> str | None:
        found = connection.execute(HOLDER.encode(), [self._key]).fetchone()
        return None if found is None else str(found[0])


class PostgresTurns:
    """Turns that a Postgres keeps, in the order in which they were asked for.

    A free turn is taken on the session that all threads share; whoever must wait stands in Postgres' own queue, on a
    session of its own. Thread-safe as long as the threads of a process look at different systems.
    """

    def __init__(self, address: SecretStr) -> None:
        self._shared = _SharedSession(address)
        self._address = address

    @contextmanager
    def of(self, system_id: str, pause: Callable[[float], object]) -> Iterator[None]:
        """HemEtlError where Postgres is out of reach."""
        key = _key(f"turn {system_id}")
        if self._shared.ask("select pg_try_advisory_lock(%s)", key):
            try:
                yield
            finally:
                with suppress(HemEtlError):  # the session is gone, and the turn with it
                    self._shared.ask("select pg_advisory_unlock(%s)", key)
            return
        with session(self._address) as connection:
            _wait_in_line(connection, key, pause)
            yield

    def close(self) -> None:
        self._shared.close()


class PostgresBudget:
    """One row says when the next request may be sent, by Postgres' clock; each reservation moves it on."""

    def __init__(self, address: SecretStr, requests_per_second: float) -> None:
        self._shared = _SharedSession(address, MAKE_BUDGET)
        self._seconds_per_request = 1 / requests_per_second

    def reserve(self) -> float:
        """HemEtlError where Postgres is out of reach."""
        after_it = float(self._shared.ask(RESERVE, self._seconds_per_request))
        return max(0.0, after_it - self._seconds_per_request)

    def close(self) -> None:
        self._shared.close()


class _SharedSession:
    """A session for short statements of many threads; opened at the first, and anew after it was lost."""

    def __init__(self, address: SecretStr, begin: str | None = None) -> None:
        self._address = address
        self._begin = begin
        self._asking = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def ask(self, question: str, value: object) -> Any:
        with self._asking, said_without_secrets():
            if self._connection is None or self._connection.broken or self._connection.closed:
                connection = connected(self._address, "hem_etl")
                try:
                    if self._begin:
                        connection.execute(self._begin.encode())
                except BaseException:
                    connection.close()
                    raise
                self._connection = connection
            return the_only(self._connection, question, value)

    def close(self) -> None:
        with self._asking:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def the_only(connection: psycopg.Connection[Any], question: str, *values: object) -> Any:
    """The first column of the only row."""
    found = connection.execute(question.encode(), values or None).fetchone()
    assert found is not None
    return found[0]


def _wait_in_line(connection: psycopg.Connection[Any], key: int, pause: Callable[[float], object]) -> None:
    """Stands in Postgres' queue; an error of `pause` leaves it when the session is closed."""
    wire = connection.pgconn
    wire.send_query_params(b"select pg_advisory_lock($1)", [str(key).encode()])
    wire.flush()
    while wire.is_busy():
        pause(TURN_POLL_SECONDS)
        wire.consume_input()
    while (result := wire.get_result()) is not None:
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError("the session was lost while it waited for a turn")


def _key(what: str) -> int:
    """The same number on every machine; apart from others' in the same database."""
    return int.from_bytes(hashlib.sha256(f"hem_etl {what}".encode(errors="surrogatepass")).digest()[:8], signed=True)
