"""The pages say what the marts say, ask nobody, and hold whatever an id holds."""

import base64
import hashlib
import re
import shlex
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from unit.report.conftest import ATTACK, CLOCK_CHANGE, CORRECTED_KW, END, NOW, START, Looked
from unit.report.reader import Element, files_of, read_page
from world import World

from hem_etl.errors import UsageError
from hem_etl.facts import open_report, reports
from hem_etl.report import make_report, making
from hem_etl.report.making import page_name
from hem_etl.simulator import make_fleet
from hem_etl.vocabulary import FLOWS
from hem_etl.warehouse import open_warehouse

RANGE = f"day between '{START}' and '{END}'"


def numbers(rows: list[dict[str, str]], *names: str) -> list[list[float | None]]:
    return [[float(row[name]) if row[name] else None for name in names] for row in rows]


def close(found: list[list[float | None]], expected: pl.DataFrame) -> None:
    assert len(found) == expected.height
    for ours, theirs in zip(found, expected.rows(), strict=True):
        assert ours == [None if value is None else pytest.approx(value, abs=1e-6) for value in theirs]


def test_the_fleets_days_are_those_of_the_mart(looked: Looked) -> None:
    names = [f"{flow}_{what}" for flow in FLOWS for what in ("kwh", "coverage", "systems")]
    rows = files_of(looked.page())["energy_by_day"]

    close(
        numbers(rows, *names),
        looked.world.sql(f"select {', '.join(names)} from marts.fleet_daily where {RANGE} order by day"),
    )
    assert [row["day"] for row in rows] == [str(day) for day in pl.date_range(START, END, eager=True)]


def test_a_homes_days_and_quarter_hours_are_those_of_the_marts(looked: Looked) -> None:
    files = files_of(looked.page(looked.berlin))
    of_home = f"where system_id = '{looked.berlin}' and {RANGE}"

    energy = [f"{flow}_kwh" for flow in FLOWS]
    close(
        numbers(files["energy_by_day"], *energy),
        looked.world.sql(f"select {', '.join(energy)} from marts.daily_energy {of_home} order by day"),
    )
    for day in pl.date_range(START, END, eager=True):
        power = [f"{flow}_kw" for flow in FLOWS]
        held = looked.world.sql(
            f"select start_utc, {', '.join(power)} from marts.interval_15min {of_home} and day = '{day}'"
        )
        told = {row["start_utc"]: row for row in files[f"power_{day}"]}
        for start, *values in held.rows():
            close(
                numbers([told.pop(str(start))], *power),
                pl.DataFrame([values], schema=dict.fromkeys(power, pl.Float64), orient="row"),
            )
        assert numbers(list(told.values()), *power) == [[None] * len(power)] * len(told), (
            "what the mart lacks has no number"
        )


def test_totals_ratios_and_paths_of_the_range_are_sums_over_its_days(looked: Looked) -> None:
    days = looked.world.sql(f"from marts.daily_energy where system_id = '{looked.berlin}' and {RANGE} order by day")
    with open_report(looked.warehouse, systems=[looked.berlin], start=START, end=END) as report:
        (home,) = report.homes([looked.berlin], 1)
    total = home.total
    for name in (*(f"{flow}_kwh" for flow in FLOWS), "used_solar_kwh", "used_total_kwh", "battery_to_grid_kwh"):
        assert total[name] == pytest.approx(days[name].sum()), name
    used, stored, exported = (
        days[name].sum() for name in ("used_solar_kwh", "solar_to_battery_kwh", "solar_to_grid_kwh")
    )
    assert total["self_consumption_ratio"] == pytest.approx((used + stored) / (used + stored + exported))
    assert (
        total["self_consumption_ratio_low"] <= total["self_consumption_ratio"] <= total["self_consumption_ratio_high"]
    )
    paths = {row["flow"]: float(row["energy_kwh"]) for row in files_of(looked.page(looked.berlin))["paths"]}
    assert paths == {flow: pytest.approx(days[f"{flow}_kwh"].sum(), abs=1e-6) for flow in paths}
    assert len(paths) == 8


def tile(page: Element, name: str) -> list[str]:
    """Value and lines of a tile."""
    found = [each for each in page.all(class_="tile") if each.one("dt").text() == name]
    return [line.text() for line in found[0].all("dd")]


def test_a_total_says_how_much_of_it_is_there(looked: Looked) -> None:
    page = looked.page(looked.berlin)
    days = looked.world.sql(f"from marts.daily_energy where system_id = '{looked.berlin}' and {RANGE}")
    value, coverage = tile(page, "Generation")
    is_whole = days["generation_coverage"].min() == 1
    assert value == f"{'' if is_whole else '≥ '}{days['generation_kwh'].sum():,.1f} kWh"
    assert coverage.startswith("coverage ")
    never = looked.page(looked.never_loaded)
    assert tile(never, "Generation") == ["–", "coverage –"] or tile(never, "Generation")[1] == "coverage 0 %"


def test_the_tiles_of_the_fleet_are_counts_of_the_mart(looked: Looked) -> None:
    systems, complete = looked.world.sql(
        f"select systems, complete_systems from marts.fleet_daily where day = '{END}'"
    ).row(0)
    assert tile(looked.page(), "Complete homes on 27 Oct 2026")[0] == f"{complete} of {systems}"
    assert tile(looked.page(), "Complete homes on 27 Oct 2026")[1] == "7 days before: not known"
    missing = looked.world.sql(
        "select reason, count(distinct system_id) as homes from marts.gaps "
        "semi join (from marts.daily_energy where not is_complete) using (system_id, day) "
        f"where day = '{END}' group by reason order by homes desc, reason"
    )
    reasons = ", ".join(f"{reason} {homes}" for reason, homes in missing.rows())
    assert tile(looked.page(), "Complete homes on 27 Oct 2026")[2] == f"incomplete: {reasons}"
    value, *_ = tile(looked.page(), "Days of homes that could not be read, 7 days")
    assert value.startswith(f"{(END - START).days + 1} of ")


def test_the_day_the_clock_changes_is_as_long_as_it_was_and_says_so(looked: Looked) -> None:
    page = looked.page(looked.berlin)
    day = page.one("details", id=f"d{CLOCK_CHANGE}")
    rows = files_of(day)[f"power_{CLOCK_CHANGE}"]

    assert len(rows) == 100
    assert sum(datetime.fromisoformat(row["start_local"]).hour == 2 for row in rows) == 8
    assert "clock −60 min" in day.one("svg", role="img").text()
    assert "25 hours" in day.one("figcaption").text()


def test_a_corrected_hour_is_marked_where_it_is(looked: Looked) -> None:
    day = looked.page(looked.berlin).one("details", id=f"d{END}")
    corrected = [row for row in files_of(day)[f"power_{END}"] if row["corrected"]]

    assert [(row["start_local"], row["corrected"]) for row in corrected] == [
        (f"{END} 11:{minute:02d}:00", "consumption") for minute in (0, 15, 30, 45)
    ]
    assert {float(row["consumption_kw"]) for row in corrected} == {CORRECTED_KW}
    assert day.all("rect", class_="edited")
    assert tile(looked.page(looked.berlin), "Corrected by hand") == ["12 buckets"]


def test_a_home_without_a_battery_says_why_it_has_no_paths_and_keeps_its_simple_ratios(looked: Looked) -> None:
    page = looked.page(looked.no_battery)
    assert "A home without a battery has none to split" in page.one("section", id="paths").text()
    with open_report(looked.warehouse, systems=[looked.no_battery], start=START, end=END) as report:
        (home,) = report.homes([looked.no_battery], 1)
    total = home.total
    value, why = tile(page, "Self-consumption")
    assert value == f"{100 * total['self_consumption_simple_ratio']:.0f} %"
    assert why == "from the grid's side alone: not all five flows are there"


def test_a_home_that_was_never_loaded_tells_the_reason_and_no_number(looked: Looked) -> None:
    page = looked.page(looked.never_loaded)
    assert "No day of the range is loaded. The last look: refused" in page.one("section", id="days").text()
    assert "refused" in page.one("header").all(class_="note warn")[0].text()
    assert not page.one("section", id="energy").one("svg", role="img").all("rect", class_="generation")
    assert all(
        value == "" for row in files_of(page)["energy_by_day"] for name, value in row.items() if name.endswith("_kwh")
    )
    assert all(
        row["outcome"] == "refused"
        for row in files_of(looked.page())["days"]
        if row["system_id"] == looked.never_loaded
    )


def test_ids_that_attack_are_text_and_no_path(looked: Looked) -> None:
    assert re.fullmatch(r"home-[0-9a-f]{16}\.html", page_name(ATTACK))
    assert {file.name for file in looked.folder.iterdir()} == {"index.html"} | {
        page_name(row["system_id"].removeprefix("'")) for row in files_of(looked.page())["homes"]
    }
    for page in (looked.page(), looked.page(ATTACK)):
        assert len(page.all("script")) == 1
        assert not page.all("b")
        for element in page.all():
            assert not [name for name in element.attributes if name.startswith("on")], element
    shown = looked.page(ATTACK)
    assert shown.one("h1").text() == "Home " + ATTACK.replace("\u202e", "\\u202e")
    assert "\u202e" not in looked.text(ATTACK)
    command = shown.one("details", id=f"d{END}").all("code")[0].text()
    assert shlex.split(command) == ["hem-etl", "explain", "--", ATTACK.replace("\u202e", "\\u202e"), str(END)]
    vendors = files_of(looked.page())["vendors"]
    assert '\'=HYPERLINK("x")' in [row["vendor"] for row in vendors], "a spreadsheet runs no formula"


def test_no_page_asks_anybody_for_anything(looked: Looked) -> None:
    for system_id in (None, ATTACK, looked.berlin, looked.never_loaded):
        page = looked.page(system_id)
        policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
        for name, kind in (("style", "style-src"), ("script", "script-src")):
            digest = base64.b64encode(hashlib.sha256(page.one(name).text().encode()).digest()).decode()
            assert f"{kind} 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert "url(" not in page.one("style").text().replace("url(#", "")
        for element in page.all():
            assert not {"src", "srcset", "style", "action", "background"} & element.attributes.keys(), element
            address = element.attributes.get("href", "#")
            assert address.startswith(("#", "data:text/csv")) or re.fullmatch(
                r"(index|home-[0-9a-f]{16})\.html(#d[0-9-]+)?", address
            ), address


def test_every_link_inside_a_page_and_from_the_heat_map_leads_somewhere(looked: Looked) -> None:
    index = looked.page()
    for page in (index, looked.page(looked.berlin), looked.page(looked.never_loaded)):
        anchors = {element.attributes["id"] for element in page.all() if "id" in element.attributes}
        assert {
            link.attributes["href"][1:] for link in page.all("a") if link.attributes["href"].startswith("#")
        } <= anchors
    leads = {
        link.attributes["href"]
        for link in index.one("section", id="map").all("a")
        if "home-" in link.attributes["href"]
    }
    assert f"{page_name(looked.berlin)}#d{CLOCK_CHANGE}" in leads
    for system_id in (looked.berlin, looked.never_loaded):
        page, name = looked.page(system_id), page_name(system_id)
        anchors = {element.attributes["id"] for element in page.all() if "id" in element.attributes}
        assert {lead.partition("#")[2] for lead in leads if lead.startswith(name) and "#" in lead} <= anchors


def test_every_picture_says_what_it_shows_and_has_a_table(looked: Looked) -> None:
    for page in (looked.page(), looked.page(looked.berlin)):
        for picture in page.all("svg", role="img"):
            named = [
                each.text() for each in picture.children if isinstance(each, Element) and each.name in ("title", "desc")
            ]
            assert len(named) == 2
            assert all(named)
        for figure in page.all("figure"):
            if figure.all("svg", role="img"):
                assert figure.all("table") or "What became of each day" in figure.text()


def test_ids_of_a_page_are_unique(looked: Looked) -> None:
    for page in (looked.page(), looked.page(looked.berlin)):
        ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
        assert len(ids) == len(set(ids))


def test_a_part_of_the_fleet_is_a_report_of_that_part_and_older_pages_go(looked: Looked, tmp_path: Any) -> None:
    (tmp_path / "home-0123456789abcdef.html").write_text("somebody else's")
    everybody = make_report(looked.warehouse, tmp_path, start=START, end=END, language="de")
    one = make_report(looked.warehouse, tmp_path, systems=[looked.berlin[:12]], start=END, end=END, language="de")

    assert (everybody.homes, everybody.pages) == (9, 9)
    assert (one.homes, one.pages, one.start) == (1, 1, END)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"index.html", page_name(looked.berlin), "home-0123456789abcdef.html"}
    assert 'lang="de"' in one.index.read_text(encoding="utf-8")


def test_a_day_that_one_home_was_asked_for_is_not_the_fleets_newest(tmp_path: Path) -> None:
    world = World(tmp_path / "home", make_fleet(3, today=NOW.date()), NOW)
    one = world.simulator.fleet.homes[0].system_id
    world.run("2026-10-25", months=False)
    world.run("2026-10-27", months=False, systems=(one,))
    warehouse = open_warehouse(world.settings)
    assert make_report(warehouse, tmp_path / "pages").end == date(2026, 10, 25)
    assert make_report(warehouse, tmp_path / "pages", end=END).end == END


def test_parts_of_the_range_are_there_without_a_script_and_their_sums_are_those_of_the_mart(
    looked: Looked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "NEWEST_DAYS", (2, 3, 30))
    make_report(looked.warehouse, tmp_path, systems=[looked.berlin], start=START, end=END)
    page = read_page((tmp_path / page_name(looked.berlin)).read_text(encoding="utf-8"))
    parts = page.one("section", id="periods").all("details")

    assert [next(each for each in part.all("summary")).text() for part in parts if part.attributes.get("id")] == [
        "Newest 2 days",
        "Newest 3 days",
    ]
    for most in (2, 3):
        part = page.one("details", id=f"pnewest-{most}")
        days = looked.world.sql(
            f"from marts.daily_energy where system_id = '{looked.berlin}' and day > date '{END}' - {most} order by day"
        )
        assert tile(part, "Generation")[0].removeprefix("≥ ") == f"{days['generation_kwh'].sum():,.1f} kWh"
        assert tile(part, "Complete days")[0] == f"{days['is_complete'].sum()} of {most}"
        assert [row["day"] for row in files_of(part)[f"energy_by_day_newest-{most}"]] == days["day"].cast(str).to_list()
        paths = {row["flow"]: float(row["energy_kwh"]) for row in files_of(part)[f"paths_newest-{most}"]}
        assert paths == {flow: pytest.approx(days[f"{flow}_kwh"].sum(), abs=1e-6) for flow in paths}


def test_a_day_that_is_shown_has_the_totals_of_the_mart(looked: Looked) -> None:
    page = looked.page(looked.berlin)
    for day in looked.world.sql(f"from marts.daily_energy where system_id = '{looked.berlin}' and {RANGE}").rows(
        named=True
    ):
        shown = page.one("details", id=f"d{day['day']}")
        assert tile(shown, "Consumption")[0].removeprefix("≥ ") == f"{day['consumption_kwh']:,.1f} kWh"
        assert tile(shown, "Highest import")[0] == f"{day['peak_import_kw']:.2f} kW"


def test_a_map_without_room_for_days_shows_weeks_and_then_the_worst_homes_alone_and_says_so(
    looked: Looked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_CELLS", 27)
    make_report(looked.warehouse, tmp_path, start=START, end=END)
    page = read_page((tmp_path / "index.html").read_text(encoding="utf-8"))
    rows = files_of(page)["days"]
    days = looked.world.sql(
        "select date_trunc('week', day) as week, count(*) as days, count(*) filter (where is_complete) as complete "
        f"from marts.daily_energy where system_id = '{looked.never_loaded}' and {RANGE} group by week order by week"
    )
    told = [row for row in rows if row["system_id"] == looked.never_loaded]
    assert [(int(row["days"]), int(row["complete_days"])) for row in told] == days.select("days", "complete").rows()
    assert "looks like the worst of them" in page.one("section", id="map").text()

    monkeypatch.setattr(making, "MOST_CELLS", 2)
    make_report(looked.warehouse, tmp_path, start=START, end=END)
    page = read_page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert "Only the worst 2 of 9 homes fit." in page.one("section", id="map").text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"systems": ["nobody"]}, "no system 'nobody'"),
        ({"vendors": ["NOBODY"]}, "no system of vendor"),
        ({"language": "fr"}, "en, de"),
        ({"start": END, "end": START}, "no day between"),
    ],
)
def test_what_is_not_there_is_told(looked: Looked, tmp_path: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make_report(looked.warehouse, tmp_path, **options)


def test_a_folder_that_cannot_be_written_is_told(looked: Looked, tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write the report"):
        make_report(looked.warehouse, tmp_path / "file", start=END, end=END)
