"""The pages in a real browser: it complains of nothing, asks for nothing, and shows what the marts say."""

import re
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import PROGRAM, Tab, browser
from unit.report.conftest import ATTACK, CLOCK_CHANGE, END, START, Looked

from hem_etl.facts import reports
from hem_etl.report import make_report
from hem_etl.report.making import page_name
from hem_etl.vocabulary import FLOWS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")]
PHONE = 390


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def pages(looked: Looked) -> dict[str, Path]:
    ids = {"battery": looked.berlin, "no battery": looked.no_battery, "never": looked.never_loaded, "attack": ATTACK}
    return {"fleet": looked.made.index} | {name: looked.folder / page_name(each) for name, each in ids.items()}


KINDS = ["fleet", "battery", "no battery", "never", "attack"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_complains_of_nothing_and_asks_for_nothing(looked: Looked, tab: Tab, kind: str, scheme: str) -> None:
    file = pages(looked)[kind]
    tab.show_as(scheme=scheme)
    tab.open(file)
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert tab.complaints() == []
    assert tab.requests() == [file.as_uri()]
    assert tab.run("document.querySelectorAll('svg').length") > 0


@pytest.mark.parametrize("kind", KINDS)
def test_who_cannot_see_a_page_can_use_it(looked: Looked, tab: Tab, kind: str) -> None:
    for scheme in ("light", "dark"):
        tab.show_as(scheme=scheme)
        tab.open(pages(looked)[kind])
        tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        tab.run(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0")
        found = tab.run(
            "axe.run().then(found => found.violations.map(each => [each.id, each.impact, each.nodes[0].html]))"
        )
        assert found == []


def rows(tab: Tab, caption: str) -> list[dict[str, str]]:
    """The rows of the table of that caption, as they are shown."""
    script = """(() => {
        const table = [...document.querySelectorAll('table')].find(each => each.caption.innerText === CAPTION);
        const names = [...table.tHead.rows[0].cells].map(each => each.innerText);
        const told = row => [...row.cells].map((cell, place) => [names[place], cell.innerText]);
        return [...table.tBodies[0].rows].map(told);
    })()"""
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    return [dict(row) for row in tab.run(script.replace("CAPTION", repr(caption)))]


def shown(value: float | None, coverage: float | None) -> str:
    if value is None:
        return "–"
    return f"{'' if coverage == 1 else '≥ '}{value:,.1f}".replace("-", "−")


def test_what_the_fleets_page_shows_is_what_the_mart_says(looked: Looked, tab: Tab) -> None:
    tab.open(looked.made.index)
    told = rows(tab, "Energy of all homes by day")
    days = looked.world.sql(f"from marts.fleet_daily where day between '{START}' and '{END}' order by day").rows(
        named=True
    )

    assert len(told) == len(days) == 5
    for row, day in zip(told, days, strict=True):
        for flow in FLOWS:
            name = flow.replace("_", " ").capitalize()
            assert row[f"{name} [kWh]"] == shown(day[f"{flow}_kwh"], day[f"{flow}_coverage"]), (day["day"], flow)


@pytest.mark.parametrize("which", ["berlin", "no_battery", "never_loaded"])
def test_what_a_homes_page_shows_is_what_the_mart_says(looked: Looked, tab: Tab, which: str) -> None:
    system_id = getattr(looked, which)
    tab.open(looked.folder / page_name(system_id))
    told = rows(tab, "Energy by day")
    query = (
        f"from marts.daily_energy where system_id = '{system_id}' and day between '{START}' and '{END}' order by day"
    )
    for row, day in zip(told, looked.world.sql(query).rows(named=True), strict=True):
        for flow in FLOWS:
            name = flow.replace("_", " ").capitalize()
            assert row[f"{name} [kWh]"] == shown(day[f"{flow}_kwh"], day[f"{flow}_coverage"]), (day["day"], flow)


def choose(tab: Tab, section: str, place: int) -> dict[str, str]:
    """What the tiles show after somebody chose; nothing else of the choice is to be seen."""
    return dict(
        tab.run(
            f"""(() => {{
        const list = document.querySelector('#{section} .bar select');
        list.selectedIndex = {place};
        list.dispatchEvent(new Event('change'));
        const seen = [...document.querySelectorAll('#{section} .choice > details')].filter(each => each.offsetHeight);
        if (seen.length !== 1) throw seen.length;
        const texts = tile => [...tile.children].slice(0, 2).map(each => each.innerText);
        return [...seen[0].querySelectorAll('.tile')].map(texts);
    }})()"""
        )
    )


def told(value: float | None, coverage: float | None) -> str:
    return shown(value, coverage) + ("" if value is None else " kWh")


@pytest.mark.parametrize("which", ["berlin", "no_battery"])
def test_what_is_shown_of_a_chosen_day_or_period_is_what_the_marts_say(
    looked: Looked, tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(reports, "NEWEST_DAYS", (2, 3))
    system_id = getattr(looked, which)
    made = make_report(looked.warehouse, tmp_path, systems=[system_id], start=START, end=END)
    tab.show_as()
    tab.open(made.index.parent / page_name(system_id))
    of_home = f"where system_id = '{system_id}' and day between '{START}' and '{END}'"
    days = looked.world.sql(f"from marts.daily_energy {of_home} order by day desc")
    for place, day in enumerate(days.rows(named=True)):
        tiles = choose(tab, "days", place)
        for flow in FLOWS:
            name = flow.replace("_", " ").capitalize()
            assert tiles[name] == told(day[f"{flow}_kwh"], day[f"{flow}_coverage"]), (day["day"], flow)
    for place, newest in enumerate((2, 3)):
        tiles = choose(tab, "periods", place)
        for flow in FLOWS:
            sums = days.head(newest)[f"{flow}_kwh"].drop_nulls()
            whole = days.head(newest)[f"{flow}_coverage"].eq(1).fill_null(False).all()
            name = flow.replace("_", " ").capitalize()
            assert tiles[name] == told(sums.sum() if len(sums) else None, 1 if whole else 0), (newest, flow)
        assert tiles["Complete days"] == f"{days.head(newest)['is_complete'].sum()} of {newest}"
    assert tab.complaints() == []


def test_the_keyboard_alone_goes_from_day_to_day_and_sorts(looked: Looked, tab: Tab) -> None:
    tab.show_as()
    tab.open(looked.folder / page_name(looked.berlin))
    seen = "[...document.querySelectorAll('#days .choice > details')].find(each => each.offsetHeight).id"
    assert tab.run(seen) == f"d{END}"
    tab.run("document.querySelector('#days select').focus()")
    tab.pressed("Tab")
    assert tab.run("document.activeElement.innerText") == "Earlier"
    tab.pressed("Enter")
    assert tab.run(seen) == f"d{END - timedelta(days=1)}"
    tab.open(looked.made.index)
    tab.run("document.querySelector('#worst th button').focus()")
    tab.pressed("Enter")
    assert tab.run("document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"


def test_without_scripts_every_day_can_be_opened_and_the_newest_is(looked: Looked, tab: Tab) -> None:
    tab.show_as()
    tab.allow_scripts(False)
    try:
        tab.open(looked.folder / page_name(looked.berlin))
        assert not tab.run("document.querySelectorAll('select, th button').length")
        heads = "[...document.querySelectorAll('#days .choice > details > summary')]"
        assert tab.run(f"{heads}.map(each => each.offsetHeight > 0)") == [True] * 5
        assert tab.run(f"{heads}.map(each => each.parentElement.open)") == [True, *[False] * 4]
    finally:
        tab.allow_scripts(True)


def test_the_axis_is_the_homes_clock_whatever_the_browsers_zone(looked: Looked, tab: Tab) -> None:
    tab.open(looked.folder / page_name(looked.berlin), f"#d{CLOCK_CHANGE}")
    assert tab.run(f"document.getElementById('d{CLOCK_CHANGE}').open"), "a link opens the day that it names"
    svg = f"document.querySelector('#d{CLOCK_CHANGE} svg')"
    labels = tab.run(f"[...{svg}.querySelectorAll('text')].map(each => [each.textContent, each.getBBox().x])")
    hours = {text: x for text, x in labels if re.fullmatch(r"\d\d:00", text)}
    assert list(hours) == ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"]
    first, *steps = [hours[later] - hours[earlier] for earlier, later in zip(hours, list(hours)[1:], strict=False)]
    assert first == pytest.approx(4 / 3 * steps[0], rel=0.01), "between 00:00 and 03:00 four hours went by"


def test_a_table_is_sorted_by_numbers_and_what_is_not_known_stays_last(looked: Looked, tab: Tab) -> None:
    tab.open(looked.made.index)
    caption = tab.run("document.querySelector('table.sorts').caption.innerText")
    heading = "[...document.querySelectorAll('table.sorts th')].find(each => each.innerText.startsWith('Complete'))"
    for direction, is_reverse in (("ascending", False), ("descending", True)):
        tab.run(f"{heading}.querySelector('button').click()")
        counts = [
            int(next(value for name, value in row.items() if name.startswith("Complete"))) for row in rows(tab, caption)
        ]
        assert counts == sorted(counts, reverse=is_reverse)
        assert tab.run(f"{heading}.getAttribute('aria-sort')") == direction


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_a_phone_and_prints_light(looked: Looked, tab: Tab, kind: str) -> None:
    tab.show_as(width=PHONE, scheme="dark")
    tab.open(pages(looked)[kind])
    assert tab.run("document.documentElement.scrollWidth") <= PHONE
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    tab.show_as(media="print", scheme="dark")
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    colours: Any = tab.run(
        "[getComputedStyle(document.body).color, getComputedStyle(document.querySelector('svg text')).fill]"
    )
    assert colours[0] == "rgb(0, 0, 0)"
    tab.show_as()


@pytest.fixture(scope="module")
def german(looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_report(looked.warehouse, tmp_path_factory.mktemp("de"), start=START, end=END, language="de")
    return made.index.parent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_page_prints_on_two_sheets_whatever_the_screen_was(
    looked: Looked, german: Path, tab: Tab, kind: str, language: str
) -> None:
    file = pages(looked)[kind]
    tab.show_as(scheme="dark")
    tab.open(file if language == "en" else german / file.name)
    assert len(re.findall(rb"/Type\s*/Page[^s]", tab.printed())) <= 2
    tab.show_as(media="print", scheme="dark")
    seen = tab.run("document.body.innerText")
    assert ("Not on paper:" if language == "en" else "Nicht auf Papier:") in seen
    assert (
        len(tab.run("[...document.querySelectorAll('tbody')].map(each => each.offsetHeight).filter(each => each)")) < 7
    )
    tab.show_as()
