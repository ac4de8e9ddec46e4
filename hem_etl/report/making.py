"""Makes the pages: the fleet's, and one for each home that is worth one, in a folder that can be mailed or served."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from hem_etl.disk import replacing
from hem_etl.errors import UsageError, disk_trouble
from hem_etl.facts import open_report
from hem_etl.report.fleet import fleet_page
from hem_etl.report.home import home_page
from hem_etl.report.language import LANGUAGES, Language
from hem_etl.report.page import GENERATOR
from hem_etl.warehouse import Warehouse

REPORT_FOLDER: Final = "report"
"""Inside HEM_ETL_HOME, where nothing else is said."""
DAYS_IN_QUARTERS: Final = 14
"""So many of its newest days a home's page shows by the quarter hour: with them it stays below 1.5 MB."""
MOST_CELLS: Final = 14_000
"""On the map of homes and days, so that its page stays below 5 MB: room for a year of a thousand homes by month."""
PAGES_UNLESS_ALL: Final = 60
"""A larger fleet gets pages for the worst and the newest homes alone, unless all are asked for."""
NEWEST: Final = 15
_HOME_PAGE: Final = re.compile(r"home-[0-9a-f]{16}\.html")


@dataclass(frozen=True, slots=True)
class ReportMade:
    """What was written."""

    index: Path
    start: date
    end: date
    homes: int
    pages: int
    """Homes that have a page."""
    largest_bytes: int


def make_report(
    warehouse: Warehouse,
    folder: Path,
    *,
    systems: Collection[str] = (),
    vendors: Collection[str] = (),
    start: date | None = None,
    end: date | None = None,
    has_all: bool = False,
    language: str = "en",
) -> ReportMade:
    """Write `index.html` and pages of homes into the folder; pages of an earlier report that are not made anew go.

    Everything is of one published state. Raises UsageError for what is not known, and where nothing can be written.
    """
    if language not in LANGUAGES:
        raise UsageError(f"--language {language!r} is none of {', '.join(LANGUAGES)}")
    words = Language(language)
    with open_report(warehouse, systems=systems, vendors=vendors, start=start, end=end) as facts:
        fleet = facts.fleet(MOST_CELLS)
        chosen = _chosen(fleet.homes, has_all or bool(systems))
        pages = {system_id: page_name(system_id) for system_id in chosen}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sizes = [
                _write(folder / pages[home.home["system_id"]], home_page(home, words))
                for home in facts.homes(chosen, DAYS_IN_QUARTERS)
            ]
            sizes.append(_write(folder / "index.html", fleet_page(fleet, pages, words)))
            _remove_older(folder, set(pages.values()))
        except OSError as error:
            raise UsageError(f"cannot write the report to {folder}: {disk_trouble(error)}") from error
    return ReportMade(
        folder / "index.html", fleet.scope.start, fleet.scope.end, len(fleet.homes), len(pages), max(sizes)
    )


def page_name(system_id: str) -> str:
    """The file of a home: ids come from outside and are no part of a path."""
    return f"home-{hashlib.sha256(system_id.encode()).hexdigest()[:16]}.html"


def _chosen(homes: list[dict[str, object]], has_all: bool) -> list[str]:
    """Homes that get a page; they come worst first."""
    ids = [str(home["system_id"]) for home in homes]
    if has_all or len(ids) <= PAGES_UNLESS_ALL:
        return ids
    dated = [home for home in homes if home["first_loaded_day"] is not None]
    newest = sorted(dated, key=lambda home: str(home["first_loaded_day"]), reverse=True)[:NEWEST]
    return list(dict.fromkeys([*ids[: PAGES_UNLESS_ALL - NEWEST], *(str(home["system_id"]) for home in newest)]))


def _write(file: Path, text: str) -> int:
    """Whole or not at all; how many bytes."""
    content = text.encode()
    with replacing(file) as opened:
        opened.write(content)
    return len(content)


def _remove_older(folder: Path, kept: set[str]) -> None:
    """Pages that an earlier report made and this one did not: they would tell old numbers beside new ones."""
    for file in folder.iterdir():
        if _HOME_PAGE.fullmatch(file.name) and file.name not in kept:
            with file.open("rb") as opened:
                is_ours = f'content="{GENERATOR}"'.encode() in opened.read(2_000)
            if is_ours:
                file.unlink()
