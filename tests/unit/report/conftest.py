"""Four days of a fleet over the end of summer time, with all that may happen to a home, and the pages made of it."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from unit.report.reader import Element, read_page
from world import World

from hem_etl.report import ReportMade, make_report
from hem_etl.report.making import page_name
from hem_etl.simulator import Faults, Fleet, make_fleet
from hem_etl.warehouse import Warehouse, open_warehouse

NOW = datetime(2026, 10, 28, 13, 15, tzinfo=UTC)
START, CLOCK_CHANGE, END = date(2026, 10, 23), date(2026, 10, 25), date(2026, 10, 27)
ATTACK = "--\"><script>alert('x')</script>/../../{0}&amp;\u202e"
CORRECTED_KW = 1.25


@dataclass(frozen=True)
class Looked:
    """A published fleet and its report."""

    world: World
    warehouse: Warehouse
    folder: Path
    made: ReportMade
    berlin: str
    """Its clock changes inside the range; one of its days is corrected by hand, another has a stretch of nulls."""
    no_battery: str
    never_loaded: str

    def page(self, system_id: str | None = None) -> Element:
        return read_page(self.text(system_id))

    def text(self, system_id: str | None = None) -> str:
        name = "index.html" if system_id is None else page_name(system_id)
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    folder = tmp_path_factory.mktemp("report")
    homes = list(make_fleet(9, today=NOW.date()).homes)
    homes[1] = replace(homes[1], system_id=ATTACK, user_id="<b>ann</b>", vendor='=HYPERLINK("x")')
    world = World(folder / "home", Fleet(homes), NOW)
    berlin = next(home for home in homes if home.timezone == "Europe/Berlin")
    refused = homes[-1].system_id
    world.simulator.faults = Faults.pinned({refused: "bad_query"})
    world.run(START, END)
    world.road().apply_overrides(_correction(berlin.system_id))
    warehouse = open_warehouse(world.settings)
    made = make_report(warehouse, folder / "pages", start=START, end=END)
    return Looked(
        world,
        warehouse,
        folder / "pages",
        made,
        berlin.system_id,
        next(home.system_id for home in homes if not home.has_battery and home.has_meter),
        refused,
    )


def _correction(system_id: str) -> bytes:
    return (
        "system_id,start,end,metric,value,author,reason\n"
        f"{system_id},2026-10-27T11:00+01:00,2026-10-27T12:00+01:00,consumption,{CORRECTED_KW},ann,meter was off\n"
    ).encode()
