"""The lists: asked page by page, landed, and what they say of which systems there are."""

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Final

import polars as pl

from hem_etl.answer import LIST_KINDS, Answer, Kind
from hem_etl.enode.client import EnodeClient
from hem_etl.enode.wire import WireError, read_page, read_system
from hem_etl.errors import UsageError
from hem_etl.landing import Landing, SegmentWriter
from hem_etl.pipeline.report import Listed
from hem_etl.vocabulary import Outcome

LOG = logging.getLogger(__name__)
EVERYBODY: Final = (None,)


def list_users(client: EnodeClient, landing: Landing, users: Collection[str | None], systems: pl.DataFrame) -> Listed:
    """Ask for the systems of these users, as events name them (None: for all systems), and land every page.

    systems: rows of core.system. Devices and places too where a system is new: its own object may state neither vendor
    nor place. A list that fails, or that Enode does not have, says nothing about its user's systems, and those of some
    users say nothing about the systems of others.
    """
    ids: set[str] = set()
    silent: set[str | None] = set()
    failure: str | None = None
    reached = True
    with landing.writer() as writer:
        for user, answer in _landed_pages(client, writer, EVERYBODY if None in users else users):
            reached = _is_answered(answer)
            ids.update(_ids(answer))
            if answer.outcome is not None:
                silent.add(user)
                is_failure = user is None or answer.outcome is not Outcome.REFUSED  # refused: no such user
                failure = failure or (_failure(answer) if is_failure else None)
        if not ids.issubset(systems["system_id"]):
            _land_devices(client, writer, reached)
    if None in users:
        return Listed(frozenset(ids) if ids and not silent else None, failure, not reached)
    asked = [user for user in users if user not in silent]
    of_others = systems.filter(~pl.col("user_id").is_in(asked).fill_null(False))["system_id"]
    return Listed(frozenset(ids.union(of_others)) if ids else None, failure, not reached)


def list_fleet(client: EnodeClient, landing: Landing, users: Iterable[str] = ()) -> Listed:
    """Ask for systems (of these users, or all), devices and places; land every page.

    After a list to which no answer came at all, the others are not asked.
    """
    ids: set[str] = set()
    failure: str | None = None
    reached = True
    with landing.writer() as writer:
        for user, answer in _landed_pages(client, writer, sorted(users) or EVERYBODY):
            if user is not None and answer.http_status == 404:
                raise UsageError(f"Enode knows no user {user!r}: correct --user")
            failure = failure or _failure(answer)
            reached = _is_answered(answer)
            ids.update(_ids(answer))
        _land_devices(client, writer, reached)
    if failure:
        LOG.warning("the list of systems is incomplete (%s): going on with the systems that are known", failure)
    return Listed(frozenset(ids) if ids and not failure else None, failure, not reached)


def _landed_pages(
    client: EnodeClient, writer: SegmentWriter, users: Iterable[str | None]
) -> Iterator[tuple[str | None, Answer]]:
    """The pages of each user's list of systems, landed; none after one to which no answer came at all."""
    for user in users:
        for answer in client.fetch_list(Kind.SYSTEMS, user):
            writer.add(answer)
            yield user, answer
            if not _is_answered(answer):
                return


def _land_devices(client: EnodeClient, writer: SegmentWriter, reached: bool) -> None:
    for kind in LIST_KINDS[1:]:
        for answer in client.fetch_list(kind) if reached else ():
            writer.add(answer)
            reached = _is_answered(answer)
            if answer.outcome is not None:
                LOG.info("list=%s outcome=%s: nothing from it (%s)", kind, answer.outcome, answer.detail)


def _is_answered(answer: Answer) -> bool:
    """Whether anything came: a problem is an answer too."""
    return answer.outcome is not Outcome.UNREACHABLE or answer.http_status is not None


def _failure(answer: Answer) -> str | None:
    """Why this page says nothing."""
    return f"{answer.outcome}: {answer.detail}" if answer.outcome else None


def _ids(answer: Answer) -> Iterator[str]:
    """The ids that a page lists; items that cannot be read are left out (loading logs them)."""
    for item in read_page(answer.body or b"").data if answer.outcome is None else ():
        with suppress(WireError):
            yield read_system(item).id
