"""The client of Enode's HEM systems API: asks, and hands back bytes and facts. It parses no statistics.

    EnodeClient (paths, paging, what a failure means) → Tokens → Transfer (one request) → Gate (limits, stop)

A look ends in an `Answer`, also where it failed: one system's trouble is a fact, not an exception. Raised are only
`AccessError` (nothing can be asked until a person acts) and `Stopped`. Never logged: queries, headers, tokens, bodies.
"""

import logging
import random as random_module
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from hem_etl.answer import Answer, Kind
from hem_etl.enode.clocks import Clocks
from hem_etl.enode.connection import Connection
from hem_etl.enode.gate import Gate, Stopped
from hem_etl.enode.problems import classify, one_line
from hem_etl.enode.retry import MOST_TRIES, Effort, OnWait, send_until_answered
from hem_etl.enode.token import BETA_NEXT_STEP, CREDENTIALS_NEXT_STEP, NoTokenError, Tokens
from hem_etl.enode.transfer import NoAnswerError, Received, Transfer, TransportFactory, moved_by_a_slash
from hem_etl.enode.wire import WireError, read_page
from hem_etl.errors import AccessError, OutOfReachError, RequestRefusedError, UsageError
from hem_etl.local_day import Interval
from hem_etl.locks import Budget, Turns, telling
from hem_etl.vocabulary import Outcome

__all__ = ["Answer", "Connection", "EnodeClient", "Stopped", "classify"]

log = logging.getLogger(__name__)

API_VERSION: Final = "2024-10-01"
LIST_PATHS: Final = {
    Kind.SYSTEMS: "/hem-systems",
    Kind.INVERTERS: "/inverters",
    Kind.BATTERIES: "/batteries",
    Kind.METERS: "/meters",
    Kind.LOCATIONS: "/locations",
}
PAGE_SIZE: Final[int | None] = None
"""None: Enode's default of 50. Its maximum is not documented, and a value above it may be refused."""
MOST_PAGES: Final = 10_000
MOST_PART_CHARACTERS: Final = 8_000
"""Of an id or a cursor in a URL: no server takes a longer one, and httpx raises where a URL is far longer."""
CACHED_READ_SECONDS: Final = 30.0
"""Read timeout of lists and of one system, which Enode serves from a cache; statistics have a setting."""
MOST_BODY_BYTES: Final = 64 * 1024 * 1024
TURN_TOLD_AFTER_SECONDS: Final = 60.0
"""A look that had to be repeated keeps its system so long: nobody needs to hear of that."""


@dataclass(slots=True)
class _Asking:
    """What is being asked for, over all its tries."""

    url: str
    moved_to: str | None = None
    """The same with a slash at its end, where the server wants that."""
    requests: int = 0
    received_at: datetime | None = None
    """When the last try was answered, by the clock that was compared with the server's at that instant."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class EnodeClient:
    """Thread-safe; made for a pool of workers. A context manager: leaving it stops and closes everything."""

    def __init__(
        self,
        connection: Connection,
        *,
        turns: Turns | None = None,
        budget: Budget | None = None,
        transport: TransportFactory | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        random: Callable[[], float] = random_module.random,
        most_pages: int = MOST_PAGES,
        max_body_bytes: int = MOST_BODY_BYTES,
    ) -> None:
        """`turns`: other processes look at the same systems. `budget`: they share the requests per second too.
        `transport` makes one transport per calling thread; `sleep` defaults to a wait that `stop` ends at once.
        """
        _quieten_httpx()
        self._connection = connection
        self._shared = tuple(shared for shared in (turns, budget) if shared is not None)
        self._turns = turns
        self._clock = clock
        self._random = random
        self._most_pages = most_pages
        self._clocks = Clocks(is_checked=connection.has_clock_check)
        self.on_wait: OnWait = lambda what, seconds, why: None
        """Hears of every wait before a request is tried again: what, how long, why."""
        self._api_url = connection.api_url.rstrip("/")
        self._gate = Gate(
            connection.max_in_flight, connection.requests_per_second, budget=budget, monotonic=monotonic, sleep=sleep
        )
        self._transfer = Transfer(
            self._gate,
            urls=(connection.api_url, connection.oauth_url),
            max_body_bytes=max_body_bytes,
            transport=transport,
        )
        self._tokens = Tokens(
            connection.oauth_url,
            connection.client_id,
            connection.client_secret,
            gate=self._gate,
            transfer=self._transfer,
            clock=clock,
            random=random,
            budget_seconds=connection.retry_seconds,
            most_tries=connection.most_tries,
            on_wait=self._tell_wait,
        )

    @property
    def seconds_ahead(self) -> float | None:
        """How far our clock was ahead of the server's at the last answer that told its own; None before any did."""
        return self._clocks.seconds_ahead

    @property
    def requests_made(self) -> int:
        """Requests sent so far: repeated ones and those for tokens included."""
        return self._gate.requests_made

    def fetch_statistics(self, system_id: str, interval: Interval) -> Answer:
        """One local day or month of a system.

        Waits while another thread or process looks at the same system, and while a `Retry-After` keeps it closed.
        """
        look = self._look(Kind(interval.kind), system_id=system_id, interval=interval)
        read_seconds = self._connection.read_timeout_seconds
        return self._fetch_of_system(look, system_id, "/statistics", {"interval": interval.label}, read_seconds)

    def fetch_system(self, system_id: str) -> Answer:
        """One system's current state. Waits like `fetch_statistics`."""
        look = self._look(Kind.SYSTEM, system_id=system_id)
        return self._fetch_of_system(look, system_id, "", {}, CACHED_READ_SECONDS)

    def fetch_list(self, kind: Kind, user_id: str | None = None) -> Iterator[Answer]:
        """The pages of one of the lists, of `systems` also those of one user, newest items first.

        Items can repeat or be missing across pages: de-duplicate by id. **The list is whole only if the last answer
        has no outcome**: a failed page, a cursor that comes back and the page cap each end it with an answer that has.
        Raises AccessError where the client may not list systems; assets end with outcome `forbidden` instead.
        """
        if kind not in LIST_PATHS:
            raise ValueError(f"{kind!r} is none of the lists {', '.join(LIST_PATHS)}")
        if user_id is None:
            return self._pages(self._look(kind), LIST_PATHS[kind])
        if kind != Kind.SYSTEMS:
            raise ValueError("only systems are listed by user")
        look = self._look(kind, user_id=user_id)
        segment = _path_segment(user_id)
        if segment is None:
            return iter([_not_asked(look, Outcome.REFUSED, f"{user_id!r} cannot be part of a URL")])
        return self._pages(look, f"/users/{segment}/hem-systems")

    def manage(self, method: str, *path: str, content: object = None) -> bytes | None:
        """One request that is no look, sent once: a subscription, a link session. Gives the answer's body.

        path: its parts, as they are; content: what is sent as JSON. Raises RequestRefusedError for any answer but a
        good one, AccessError where Enode refuses the client, OutOfReachError where no answer came.
        """
        parts = [_path_segment(part) for part in path]
        if None in parts:
            raise UsageError(one_line(f"{'/'.join(path)!r} cannot be part of a URL"))
        asking = _Asking("/".join([self._api_url, *map(str, parts)]))
        try:
            received = self._send_once(asking, method, {}, CACHED_READ_SECONDS, content)
        except (NoAnswerError, NoTokenError) as error:
            raise OutOfReachError(
                f"no answer from Enode ({error}): check the network, look with the list command whether it was done, "
                "and try again."
            ) from None
        if 200 <= received.status < 300:
            return received.body
        detail = classify(received.status, received.body, "", secrets=self._tokens.secrets)[1]
        if received.status == 403:
            raise AccessError(f"Enode does not let this client do that ({detail}). {BETA_NEXT_STEP}")
        raise RequestRefusedError(received.status, str(detail))

    def stop(self) -> None:
        """Wakes every waiting thread and ends every read, with Stopped; later requests raise it too."""
        self._gate.stop()
        self._transfer.stop()

    def close(self) -> None:
        self._transfer.close()
        for shared in self._shared:
            shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fetch_of_system(
        self, look: Answer, system_id: str, rest: str, query: Mapping[str, str], read_seconds: float
    ) -> Answer:
        segment = _path_segment(system_id)
        if segment is None:
            return _not_asked(look, Outcome.REFUSED, f"{system_id!r} cannot be part of a URL")
        with self._gate.only_look_at(system_id), self._turn_of(system_id):
            closed_seconds = self._gate.closed_seconds(system_id)
            if closed_seconds > self._connection.retry_seconds:
                detail = f"the server wants no requests for this system {self._until(closed_seconds)}"
                return _not_asked(replace(look, fetched_at=self._clock()), Outcome.UNREACHABLE, detail)
            self._gate.pause(closed_seconds)
            return self._fetch(look, f"/hem-systems/{segment}{rest}", query, read_seconds)

    def _turn_of(self, system_id: str) -> AbstractContextManager[None]:
        if self._turns is None:
            return nullcontext()
        what = f"another run that asks for system={system_id}"
        pause = telling(self._gate.pause, self._gate.monotonic, what, TURN_TOLD_AFTER_SECONDS)
        return self._turns.of(system_id, pause)

    def _pages(self, look: Answer, path: str) -> Iterator[Answer]:
        query = {} if PAGE_SIZE is None else {"pageSize": str(PAGE_SIZE)}
        seen: set[str] = set()
        for number in range(self._most_pages):
            look = replace(look, page=number)
            answer = self._fetch(look, path, query, CACHED_READ_SECONDS)
            if answer.http_status == 403 and look.kind == Kind.SYSTEMS:
                raise AccessError(
                    f"Enode does not let this client list HEM systems ({answer.detail}). {BETA_NEXT_STEP}"
                )
            if answer.outcome is not None:
                yield answer
                return
            try:
                after = read_page(answer.body or b"").pagination.after
            except WireError as error:
                yield replace(answer, outcome=Outcome.UNREADABLE, detail=one_line(str(error), self._tokens.secrets))
                return
            yield answer
            if after is None:
                return
            if after in seen or len(after) > MOST_PART_CHARACTERS:
                why = f"the list was ended: its cursor {'came back' if after in seen else 'is too long for a URL'}"
                break
            seen.add(after)
            query["after"] = after
        else:
            why = f"the list was ended after {self._most_pages} pages"
        log.warning("kind=%s page=%d outcome=%s because=%s", look.kind, look.page + 1, Outcome.REFUSED, why)
        yield _not_asked(replace(look, page=look.page + 1, fetched_at=self._clock()), Outcome.REFUSED, why)

    def _fetch(self, look: Answer, path: str, query: Mapping[str, str], read_seconds: float) -> Answer:
        """One look, repeated while its failure can pass by itself."""
        asking = _Asking(self._api_url + path)

        def attempt() -> Received:
            return self._send_once(asking, "GET", query, read_seconds)

        def close_system(seconds: float) -> None:
            if look.system_id is not None:
                self._gate.close_system(look.system_id, seconds)

        started = self._gate.monotonic()
        try:
            effort = send_until_answered(
                attempt,
                what=_named(look),
                gate=self._gate,
                clock=self._clock,
                random=self._random,
                budget_seconds=self._connection.retry_seconds,
                most_tries=self._connection.most_tries or MOST_TRIES,
                on_retry_after=close_system,
                on_wait=self._tell_wait,
            )
        except NoTokenError as error:
            answer = replace(look, outcome=Outcome.UNREACHABLE, detail=str(error))
        else:
            answer = self._answer(look, effort)
        took_ms = round((self._gate.monotonic() - started) * 1000)
        at = asking.received_at or self._clock()
        answer = replace(answer, fetched_at=at, duration_ms=took_ms, attempts=asking.requests)
        if answer.outcome is not None:
            level = logging.WARNING if answer.outcome is Outcome.UNREACHABLE else logging.DEBUG
            facts = (_named(look), asking.requests, answer.http_status, answer.outcome, answer.detail)
            log.log(level, "%s attempts=%d status=%s outcome=%s because=%s", *facts)
        return answer

    def _send_once(
        self, asking: "_Asking", method: str, query: Mapping[str, str], read_seconds: float, content: object = None
    ) -> Received:
        """One answer, whatever it is; a token that ended meanwhile is renewed, a slash that is missing is added."""
        while True:
            token, is_new = self._tokens.current()
            asking.requests += 1
            asking.received_at = None
            received = self._transfer.send(
                method,
                asking.moved_to or asking.url,
                params=query,
                headers={"Authorization": f"Bearer {token}", "Enode-Version": API_VERSION},
                read_timeout_seconds=read_seconds,
                json=content,
            )
            asking.received_at = self._clock()
            self._clocks.compare(received, asking.received_at)
            if asking.moved_to is None and (moved := moved_by_a_slash(asking.url, received)) is not None:
                asking.moved_to = moved
                continue
            if received.status != 401:
                return received
            self._tokens.drop(token)
            if is_new:
                detail = classify(401, received.body, "", secrets=self._tokens.secrets)[1]
                raise AccessError(f"Enode refuses a token it has just given ({detail}). {CREDENTIALS_NEXT_STEP}")

    def _tell_wait(self, what: str, seconds: float, why: object) -> None:
        self.on_wait(what, seconds, why)

    def _answer(self, look: Answer, effort: Effort) -> Answer:
        secrets = self._tokens.secrets
        received = effort.received
        if received is None:
            return replace(look, outcome=Outcome.UNREACHABLE, detail=one_line(str(effort.failure), secrets))
        outcome, detail = classify(received.status, received.body, look.kind, secrets=secrets)
        if outcome is None and received.body is None:
            outcome, detail = Outcome.UNREADABLE, "the body is longer than the cap"
        if effort.asked_to_wait_seconds is not None:
            detail = one_line(f"asked to wait {self._until(effort.asked_to_wait_seconds)}: {detail}")
        return replace(look, http_status=received.status, outcome=outcome, detail=detail, body=received.body)

    def _until(self, seconds: float) -> str:
        try:
            return f"until {self._clock() + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
        except OverflowError:
            return f"{seconds:.0f} s"

    def _look(
        self, kind: Kind, *, system_id: str | None = None, interval: Interval | None = None, user_id: str | None = None
    ) -> Answer:
        """An answer that nothing has come for yet."""
        return Answer(
            kind=kind,
            system_id=system_id,
            interval=interval,
            page=0,
            user_id=user_id,
            fetched_at=self._clock(),
            duration_ms=0,
            attempts=0,
            http_status=None,
            outcome=None,
            detail=None,
            body=None,
        )


def _not_asked(look: Answer, outcome: Outcome, detail: str) -> Answer:
    return replace(look, outcome=outcome, detail=one_line(detail))


def _path_segment(identifier: str) -> str | None:
    """The id as one segment of a path; None for texts that cannot be one (`..` would name another resource)."""
    try:
        segment = quote(identifier, safe="")
    except UnicodeEncodeError:
        return None
    return None if segment in ("", ".", "..") or len(segment) > MOST_PART_CHARACTERS else segment


def _named(look: Answer) -> str:
    """The look as facts for the log. Users are not named there."""
    system = "" if look.system_id is None else f" system_id={quote(look.system_id, safe='')}"
    interval = "" if look.interval is None else f" interval={look.interval.label}"
    page = "" if look.kind not in LIST_PATHS else f" page={look.page}"
    return f"kind={look.kind}{system}{interval}{page}"


def _quieten_httpx() -> None:
    """httpx logs every URL, query included, at INFO; our own line says the same without. A level set before stays."""
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
