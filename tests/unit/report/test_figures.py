"""Pictures: a gap is a gap, an incomplete total is hatched, a large fleet stays small; words of a language."""

import ast
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from unit.report.reader import Element, files_of, read_page

import hem_etl.report
from hem_etl.facts import DayFacts
from hem_etl.report.bars import Bars, bars
from hem_etl.report.cells import heat_map, told_of
from hem_etl.report.day import LEFT, day_figure
from hem_etl.report.language import Language, german
from hem_etl.report.markup import tag
from hem_etl.vocabulary import FLOWS

ENGLISH, GERMAN = Language("en"), Language("de")
DAY = date(2026, 3, 2)


def day_of(powers: list[float | None], **changes: Any) -> Element:
    """A day whose flows all have these powers; None is a gap of all."""
    midnight = datetime(2026, 3, 2)
    quarters = []
    for place, power in enumerate(powers):
        at = midnight + timedelta(minutes=15 * place)
        row: dict[str, Any] = {"start_utc": at, "start_local": at, "utc_offset_minutes": 0, "soc_pct": power}
        for flow in FLOWS:
            row |= {f"{flow}_kw": power, f"{flow}_minutes": 0.0 if power is None else 15.0}
        quarters.append(row | changes)
    return read_page(day_figure(DayFacts(DAY, "UTC", {}, quarters, []), "power", ENGLISH))


def paths(figure: Element, style: str) -> list[str]:
    return [path.attributes["d"] for path in figure.all("path", class_=style)]


def test_a_gap_ends_the_area_and_the_line_and_begins_another() -> None:
    figure = day_of([1.0] * 40 + [None] * 8 + [2.0] * 48)
    (area,) = paths(figure, "generation")

    assert area.count("M") == area.count("Z") == 2
    starts = [int(found) for found in re.findall(r"M(\d+)", area)]
    assert [(start - LEFT) // 9 for start in starts] == [0, 48]
    assert len(paths(figure, "line-soc")) == 2
    gap = next(rect.attributes for rect in figure.all("rect", class_="hole") if rect.attributes.get("height") == "240")
    assert (int(gap["x"]) - LEFT, int(gap["width"])) == (40 * 9, 8 * 9)
    rows = files_of(figure)["power"]
    assert [row["generation_kw"] for row in rows[39:49]] == ["1", *[""] * 8, "2"]


def test_a_day_of_nulls_has_no_area_no_line_and_no_zero() -> None:
    figure = day_of([None] * 96)
    assert not any(paths(figure, flow) for flow in FLOWS)
    assert not paths(figure, "line-soc")
    assert "96 of them without any value" in figure.one("svg", role="img").one("desc").text()
    assert {row["generation_kw"] for row in files_of(figure)["power"]} == {""}


def test_a_flow_that_the_home_lacks_is_no_gap() -> None:
    figure = day_of([1.0] * 96, battery_charge_kw=None, battery_charge_minutes=None)
    assert "gaps: Battery charge" not in figure.text()
    assert not paths(figure, "battery_charge")


def test_one_known_quarter_hour_of_charge_is_a_dot() -> None:
    figure = day_of([None] * 10 + [50.0] + [None] * 85)
    assert len(figure.all("circle", class_="dot-soc")) == 1
    assert not paths(figure, "line-soc")


def stacked(rows: list[dict[str, Any]], days: int = 3) -> Element:
    places = [DAY + timedelta(days=number) for number in range(days)]
    return read_page(bars(Bars(("generation",), ("consumption",)), rows, places, "Energy", 0.9, ENGLISH))


def energy(day: date, kwh: float | None, coverage: float | None) -> dict[str, Any]:
    return {"day": day} | {
        f"{flow}_{what}": value
        for flow in ("generation", "consumption")
        for what, value in (("kwh", kwh), ("coverage", coverage))
    }


def test_an_incomplete_total_is_hatched_and_says_at_least_and_a_missing_day_is_a_gap() -> None:
    figure = stacked([energy(DAY, 5.0, 1.0), energy(DAY + timedelta(days=1), 4.0, 0.4)])
    titles = [title.text() for title in figure.all("title")]

    assert len(figure.all("rect", class_="least")) == 2
    assert "2 Mar 2026: Generation 5.0 kWh (coverage 100 %); Consumption 5.0 kWh (coverage 100 %)" in titles
    assert "3 Mar 2026: Generation ≥ 4.0 kWh (coverage 40 %); Consumption ≥ 4.0 kWh (coverage 40 %)" in titles
    assert "4 Mar 2026: nothing known" in titles


def test_a_total_of_nothing_is_no_bar_of_zero() -> None:
    figure = stacked([energy(DAY, None, 0.0)], days=1)
    assert not figure.one("svg", role="img").all("rect", class_="generation")
    assert "2 Mar 2026: nothing known" in [title.text() for title in figure.all("title")]


def cell(first: date, days: int, kind: str, **changes: Any) -> dict[str, Any]:
    last = first + timedelta(days=days - 1)
    known = {"first_day": first, "last_day": last, "days": days, "kind": kind, "kind_days": 1, "complete_days": 0}
    return (
        known | {"outcome": "loaded", "detail": None, "coverage": 1.0, "reasons": None, "edited_buckets": 0} | changes
    )


def test_a_cell_of_several_days_says_how_many_are_complete_and_what_the_worst_are() -> None:
    whole = cell(DAY, 7, "complete", complete_days=7, kind_days=7)
    assert told_of(whole, ENGLISH) == "2 Mar 2026 – 8 Mar 2026: 7 of 7 days complete; coverage 100 %"
    torn = whole | {
        "kind": "failed",
        "kind_days": 2,
        "complete_days": 4,
        "outcome": "unreachable",
        "detail": "HTTP 503",
    }
    torn |= {"coverage": 0.64, "reasons": "partial", "edited_buckets": 3}
    assert told_of(torn, ENGLISH) == (
        "2 Mar 2026 – 8 Mar 2026: 4 of 7 days complete; the worst (2): unreachable; HTTP 503; partial; coverage 64 %; "
        "3 buckets corrected by hand"
    )
    assert told_of(cell(DAY, 1, "absent", outcome=None, coverage=None), ENGLISH) == "2 Mar 2026: never asked"


def test_the_map_of_a_thousand_homes_and_a_year_by_month_stays_small() -> None:
    cells = [
        cell(date(2025, month, 1), 28, "failed", detail="HTTP 503 Service Unavailable", reasons="partial; no_data")
        for month in range(1, 13)
    ]
    homes = [(f"home {number}", None, cells) for number in range(1_000)]
    drawn = heat_map(homes, date(2025, 1, 1), date(2025, 12, 31), "map", ENGLISH)
    assert len(drawn.encode()) < 4_000_000
    assert drawn.count("cell-failed") == 12_000 + 1


def test_text_is_escaped_wherever_it_stands() -> None:
    hostile = "<script>\"'&\u202e\x00"
    element = tag("p", hostile, [hostile, tag("b", hostile)], title=hostile)
    assert str(element).count("<") == 4
    shown = read_page(element).one("p")
    assert shown.attributes["title"] == hostile.replace("\u202e", "\\u202e").replace("\x00", "\\x00")


@pytest.mark.parametrize(
    ("value", "english", "german_text"),
    [
        (None, "–", "–"),
        (0.0, "0.0", "0,0"),
        (-0.01, "0.0", "0,0"),
        (1234.56, "1,234.6", "1.234,6"),
        (-1234.56, "−1,234.6", "−1.234,6"),
    ],
)
def test_a_number_is_written_as_people_of_the_language_do(value: float | None, english: str, german_text: str) -> None:
    assert (ENGLISH.number(value), GERMAN.number(value)) == (english, german_text)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (1.0, "100 %"), (0.999, "> 99 %"), (0.996, "> 99 %"), (0.95, "95 %"), (0.001, "< 1 %"), (0.0, "0 %")],
)
def test_almost_all_is_never_all_and_almost_nothing_never_nothing(value: float | None, told: str) -> None:
    assert ENGLISH.share(value) == told


def said_in_code() -> set[str]:
    """Every text that is given to `say` as it stands."""
    found = set()
    for file in Path(hem_etl.report.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if name == "say" and isinstance(node, ast.Call):
                constants = [each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
                found |= {text for text in constants if isinstance(text, str)}
    return found


def test_every_text_is_there_in_german_with_the_same_places() -> None:
    assert said_in_code() <= set(german())
    for english, translated in german().items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", translated)), english
