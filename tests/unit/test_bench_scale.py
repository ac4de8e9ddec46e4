"""What a daily run of a large fleet takes: the arithmetic, on numbers that can be checked by hand. Nothing is timed."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def pieces_of(bench: Mapping[str, ModuleType], **others: Any) -> Any:
    cheap = dict.fromkeys(
        ("transaction", "commit_new", "commit_again", "look_again", "transaction_per_home", "publish"), 0.0
    )
    nothing = cheap | {"prepare_day": 0.0, "load_of_nothing": 0.0, "publish_per_day": 0.0, "table_bytes": 0.0}
    return bench["daily"].Pieces(**nothing | {"landed_bytes": 0.0, "is_copied": False} | others)


def test_a_day_is_asked_for_five_times_and_a_month_daily_and_four_times_after_its_end(
    bench: Mapping[str, ModuleType],
) -> None:
    assert bench["daily"].requests_of_a_home(7) == pytest.approx(5 + 1 + 4 / 30)


def test_what_is_asked_needs_places_by_how_long_an_answer_takes(bench: Mapping[str, ModuleType]) -> None:
    daily = bench["daily"]
    one, many = (daily.day_of(homes, pieces_of(bench)) for homes in (1_000, 100_000))
    # 6,133 requests in 3 h are 0.57 in a second, 5.7 in flight: one place of 256; of a hundred times as much, three
    assert one.requests_per_second == pytest.approx(6_133 / 10_800, rel=1e-3)
    assert one.in_flight == pytest.approx(5.68, rel=1e-3)
    assert (one.places, one.runs) == (1, 4)
    assert (many.places, many.runs) == (3, 3 * 4 * 3)


def test_a_transaction_is_sixteen_segments_of_half_a_minute_or_as_many_bytes(bench: Mapping[str, ModuleType]) -> None:
    daily = bench["daily"]
    assumed = daily.Assumed(body_bytes=16 * 1024 * 1024 / 300)
    one, many = (daily.day_of(homes, pieces_of(bench), assumed) for homes in (1_000, 100_000))
    assert one.transactions == 23  # 6,133 by 16 × 17
    assert many.transactions == 128  # 613,333 by 16 × 300, not by 16 × 568


def test_what_is_locked_is_the_sum_of_its_pieces(bench: Mapping[str, ModuleType]) -> None:
    day_of = bench["daily"].day_of

    def locked(**others: Any) -> float:
        return float(day_of(1_000, pieces_of(bench, **others)).locked_seconds)

    assert locked(load_of_nothing=1.0) == 4 * 2
    assert locked(transaction=1.0) == 23
    assert locked(transaction_per_home=0.001) == pytest.approx(23)
    assert locked(commit_new=0.001) == 1
    assert locked(commit_again=0.001) == 1
    assert locked(look_again=0.001) == pytest.approx(4.133, rel=1e-3)
    assert locked(publish=3.0) == 3
    assert locked(publish_per_day=1e-6) == pytest.approx(0.365)
    assert locked(table_bytes=1e6) == 0
    assert locked(table_bytes=1e6, is_copied=True) == pytest.approx(365e9 / 500e6)
    assert locked(prepare_day=1.0, landed_bytes=1e6) == 0
    assert day_of(1_000, pieces_of(bench, prepare_day=1.0)).prepare_seconds == 2_000
    assert day_of(1_000, pieces_of(bench, landed_bytes=1.0)).landed_bytes_of_a_year == 730_000


def test_pieces_are_differences_of_what_was_measured(bench: Mapping[str, ModuleType]) -> None:
    scale = bench["scale"]
    sizes = scale.Sizes(
        systems=10, days=10, history_systems=10, history_days=100, commits=(1, 10, 101), fleet=1_101, files=(1,)
    )
    seconds = {
        "prepare": 0.5,
        "bytes of landing": 1.0,
        "file: an opening": 0.5,
        "file: a load of nothing": 0.75,
        "file: new system-days: 1": 2.51,
        "file: new system-days: 10": 2.6,
        "file: new system-days: 101": 3.51,
        "file: replaced system-days: 10": 2.7,
        "file: looks that bring nothing new: 101": 0.702,
        "file: new system-days: 10, in a fleet of 1,101": 3.6,
        f"file: {scale.PUBLISHED}": 3.0,
        f"file: {scale.LONGER}": 6.0,
    }
    rows = {name: {"cpu_seconds": {"median": number}, "amount": 100_000} for name, number in seconds.items()}
    rows |= {"file: bytes": {"amount": 500_000}, "file: bytes, four times the days": {"amount": 800_000}}
    found = scale.pieces({"sizes": json.loads(json.dumps(scale.asdict(sizes))), "rows": rows}, "file")
    assert found.prepare_day == 0.005
    assert found.commit_new == pytest.approx(0.01)
    assert found.transaction == pytest.approx(2.0)
    assert found.commit_again == pytest.approx(0.02)
    assert found.look_again == pytest.approx(0.002)
    assert found.transaction_per_home == pytest.approx(0.001)
    assert (found.publish_per_day, found.publish) == (pytest.approx(0.001), pytest.approx(2.0))
    assert (found.table_bytes, found.landed_bytes) == (1_000, 1_000)


def test_each_row_of_scale_is_a_task_on_a_world_and_has_a_name_of_its_own(bench: Mapping[str, ModuleType]) -> None:
    scale, tasks = bench["scale"], bench["tasks"].TASKS
    for sizes in (scale.Sizes(), scale.QUICK):
        worlds = scale.worlds(sizes)
        rows = [row for section in scale.sections(sizes) for row in section.rows]
        assert len({row.name for row in rows}) == len(rows)
        assert {world.task for world in worlds.values()} <= tasks.keys()
        for row in rows:
            assert row.world in worlds
            assert row.task[0] in tasks


def test_the_documented_tables_are_what_was_measured(bench: Mapping[str, ModuleType]) -> None:
    found = json.loads((ROOT / "docs" / "scale.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    for table in bench["scale"].tables(found):
        assert table in page


@pytest.mark.slow
def test_a_quick_run_measures_transactions_and_many_files(tmp_path: Path) -> None:
    file = tmp_path / "found"
    for title in ("Transactions", "14 files"):
        options = ["--quick", "--sqlite", "--json", str(file), "--only", title]
        command = [sys.executable, str(BENCHMARKS / "scale.py"), *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    text = file.read_text(encoding="utf-8")
    assert {"file: new system-days: 3", "lake: new system-days: 3", "14: publish"} <= json.loads(text)["rows"].keys()
    assert str(ROOT) not in text
    assert str(tmp_path) not in text
