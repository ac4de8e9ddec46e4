"""What the lists of some users say: of those whose list came whole, and of nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from hem_etl.answer import Answer, Kind
from hem_etl.landing import Landing
from hem_etl.pipeline.listing import list_users
from hem_etl.vocabulary import Outcome

AT = datetime(2026, 11, 22, tzinfo=UTC)
SYSTEMS = pl.DataFrame({"system_id": ["a1", "a2", "b1", "c1"], "user_id": ["ann", "ann", "bob", None]})


def page(*ids: str, user: str | None = None) -> Answer:
    items = ",".join(f'{{"id":"{name}"}}' for name in ids)
    return Answer(Kind.SYSTEMS, None, None, 0, user, AT, 1, 1, 200, None, None, f'{{"data":[{items}]}}'.encode())


def failing(status: int | None, outcome: Outcome) -> Answer:
    return Answer(Kind.SYSTEMS, None, None, 1, None, AT, 1, 1, status, outcome, "why", b"")


class Lists:
    """A client that answers as it was told, and notes what it was asked for."""

    def __init__(self, pages: dict[str | None, list[Answer]]) -> None:
        self._pages = pages
        self.asked: list[tuple[Kind, str | None]] = []

    def fetch_list(self, kind: Kind, user_id: str | None = None) -> Iterator[Answer]:
        self.asked.append((kind, user_id))
        yield from self._pages.get(user_id, []) if kind is Kind.SYSTEMS else ()


@pytest.mark.parametrize(
    ("pages", "system_ids", "failure"),
    [
        ({"ann": [page("a1")]}, {"a1", "b1", "c1"}, None),
        ({"ann": [page("a1"), failing(503, Outcome.UNREACHABLE)]}, {"a1", "a2", "b1", "c1"}, "unreachable: why"),
        ({"ann": [failing(404, Outcome.REFUSED)], "bob": [page("b1")]}, {"a1", "a2", "b1", "c1"}, None),
        ({"ann": [page()]}, None, None),
        ({None: [page("a1", "b1")]}, {"a1", "b1"}, None),
        ({None: [page("a1"), failing(503, Outcome.UNREACHABLE)]}, None, "unreachable: why"),
        ({None: [failing(400, Outcome.REFUSED)]}, None, "refused: why"),
    ],
)
def test_a_list_that_failed_says_nothing_about_its_users_systems(
    pages: dict[str | None, list[Answer]], system_ids: set[str] | None, failure: str | None, tmp_path: Path
) -> None:
    listed = list_users(Lists(pages), Landing(tmp_path), list(pages), SYSTEMS)
    assert listed.system_ids == system_ids
    assert listed.failure == failure


def test_after_a_list_to_which_no_answer_came_no_other_is_asked(tmp_path: Path) -> None:
    lists = Lists({"ann": [failing(None, Outcome.UNREACHABLE)], "bob": [page("b9")]})
    assert list_users(lists, Landing(tmp_path), ["ann", "bob"], SYSTEMS).is_out_of_reach
    assert lists.asked == [(Kind.SYSTEMS, "ann")]


@pytest.mark.parametrize(("listed", "has_devices"), [("a1", False), ("a9", True)])
def test_devices_are_listed_where_a_system_is_new(listed: str, has_devices: bool, tmp_path: Path) -> None:
    lists = Lists({"ann": [page(listed)]})
    list_users(lists, Landing(tmp_path), ["ann"], SYSTEMS)
    assert ((Kind.INVERTERS, None) in lists.asked) == has_devices
