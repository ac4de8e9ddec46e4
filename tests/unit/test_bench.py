"""The bench: its page says what was measured, its rows are what can be run. Nothing is timed here."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def measured(row: str, ratio: float | None = None, base: str | None = None, **others: Any) -> dict[str, Any]:
    spread = {"median": 1.5, "least": 1.25, "most": 0.0125}
    return {
        "name": row,
        "compared_with": base,
        "ratio": None if ratio is None else spread | {"median": ratio},
        "cpu_seconds": spread,
        "wall_seconds": spread,
        "peak_mb": 123.4,
        "unit": None,
        "rate": None,
        "limit": "The disk.",
    } | others


def found_of(*rows: dict[str, Any]) -> dict[str, Any]:
    machine = {"system": "Linux", "cpu": "a CPU", "cores": 2, "memory_gb": 8, "python": "3.11", "libraries": {"a": "1"}}
    sections = [{"title": "Loading", "about": "Some homes.", "rows": list(rows)}]
    return {"machine": machine, "rounds": 5, "minutes": 20.0, "equal_sums": True, "sections": sections}


def test_a_page_shows_ratios_first_and_says_what_limits_each_row(bench: Mapping[str, ModuleType]) -> None:
    rows = [
        measured("ours", rate=2e6),
        measured("theirs", 34.567, "ours"),
        measured("last", 0.5, "theirs", limit="CPU."),
    ]
    page = bench["page"].rendered(found_of(*rows))
    assert "## Loading\n\nSome homes.\n\n| ratio | | CPU | wall | memory | M values/s |\n" in page
    assert "|  | ours | 1.50 s (1.25 s – 12.5 ms) | 1.50 s | 123 MB | 2.000 |\n" in page
    assert "| **34.6 (1.25–0.013)** | theirs | " in page
    assert "| **0.50 (1.25–0.013)** | last ÷ *theirs* | " in page
    assert page.endswith("\nWhat limits each:\n\n- *ours*, *theirs*: The disk.\n- *last*: CPU.\n")
    assert "5 rounds (20 minutes) on Linux, a CPU, 2 cores, 8 GB; Python 3.11, a 1." in page


def test_a_page_of_no_peers_does_not_say_that_their_sums_are_equal(bench: Mapping[str, ModuleType]) -> None:
    found = found_of(measured("ours"))
    assert "the same kWh" in bench["page"].rendered(found)
    assert "the same kWh" not in bench["page"].rendered(found | {"equal_sums": False})


def test_each_row_is_a_task_on_a_world_and_compared_with_a_row_beside_it(bench: Mapping[str, ModuleType]) -> None:
    sizes = bench["rows"].Sizes()
    worlds = bench["rows"].worlds(sizes)
    sections = [*bench["rows"].sections(sizes), *bench["rows"].large_sections(sizes)]
    names = [row.name for section in sections for row in section.rows]
    assert len(names) == len(set(names)), "spent is kept by name"
    assert {world.task for world in worlds.values()} <= bench["tasks"].TASKS.keys()
    for section in sections:
        before: list[str] = []
        for row in section.rows:
            assert row.world in worlds
            assert row.kind != "ours" or row.task[0] in bench["tasks"].TASKS
            assert row.base is None or row.base in before, row.name
            before.append(row.name)


def test_ratios_are_made_within_a_round_and_by_what_a_unit_costs(bench: Mapping[str, ModuleType]) -> None:
    spent, row = bench["measuring"].Spent, bench["rows"].Row
    ours = {number: spent(cpu, 1, 1, amount=100) for number, cpu in enumerate([1.0, 2.0, 4.0])}
    twice = {number: spent(cpu, 1, 1, amount=200) for number, cpu in enumerate([2.0, 8.0, 8.0])}
    silent = {number: spent(cpu, 1, 1) for number, cpu in enumerate([10.0, 20.0])}
    told = {"ours": ours, "twice": twice, "silent": silent}

    def summary(name: str, base: str | None = "ours") -> dict[str, Any]:
        found: dict[str, Any] = bench["bench"].summary(row(name, "", (), "", base=base, unit="values"), told)
        return found

    assert summary("ours", None)["rate"] == 50
    assert summary("twice")["ratio"] == {"median": 1.0, "least": 1.0, "most": 2.0}
    assert summary("silent")["ratio"] == {"median": 10.0, "least": 10.0, "most": 10.0}
    assert summary("silent")["rate"] == 100 / 15
    by_wall = bench["rows"].Row("ours", "", (), "", base="slower", is_by_wall=True)
    slower = {number: spent(1, wall, 1) for number, wall in enumerate([2.0, 4.0, 5.0])}
    assert bench["bench"].summary(by_wall, told | {"slower": slower})["ratio"]["median"] == 0.25


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot say so")
def test_a_process_can_be_held_to_one_core_and_then_is(bench: Mapping[str, ModuleType]) -> None:
    tells = "import os, json; print(json.dumps(dict(cpu_seconds=len(os.sched_getaffinity(0)), wall_seconds=0)))"
    run, command = bench["measuring"].run, [sys.executable, "-c", tells]
    assert run(command, {}, is_on_one_core=True).cpu_seconds == 1
    assert run(command, {}).cpu_seconds == len(os.sched_getaffinity(0))


OF_EACH_SECTION = [
    ("… ", "… of bodies with all vendors' quirks"),
    ("Cost follows change", "one system-day replaced"),
    ("nothing due", "a run with nothing due, many segments"),
    ("plan", "a plan, many segments"),
    ("What people ask", "one home's month"),
    ("Start-up", "hem-etl explain"),
    ("Dagster", "a run costs more by"),
]
"""Rows of ours, as `--only` names them, and one of them. What is compared with others needs them installed."""


@pytest.mark.slow
@pytest.mark.parametrize(("only", "row"), OF_EACH_SECTION)
def test_a_quick_run_measures_and_writes_its_page(only: str, row: str, tmp_path: Path) -> None:
    files = ["--json", str(tmp_path / "found.json"), "--page", str(tmp_path / "page.md")]
    command = [sys.executable, str(BENCHMARKS / "bench.py"), "--quick", "--only", only, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"| {row} |" in page
    assert str(ROOT) not in page
    assert str(tmp_path) not in page


def test_the_documented_page_is_what_was_measured(bench: Mapping[str, ModuleType]) -> None:
    found = json.loads((ROOT / "docs" / "performance.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == bench["page"].rendered(found)
