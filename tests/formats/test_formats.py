"""Landing of every format ever written is read for ever.

Each folder was written by a version of its format, and `tables/` is what that version made of it; none is ever written
anew. `v1/`, of 0.1.0, before segments named their format: five homes over the end of daylight saving time, looked at
three times, with unreadable points, a home that vanished, credentials that died, days before installation, and a file
of corrections. `v2/`: four homes over the same day, whose places and vendors stand in the lists of locations and
devices. `v3/`: the same with webhooks, two of which announce something, and one that cannot be read.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from world import World

from hem_etl.errors import LandingError
from hem_etl.landing import Landing
from hem_etl.landing.formats import FORMAT

HERE = Path(__file__).parent
FOLDERS = [HERE / f"v{number}" for number in range(1, FORMAT + 1)]
LOADED_AT = datetime(2026, 10, 28, 15, 40, tzinfo=UTC)


def world_of(folder: Path, home: Path) -> World:
    """A home of which only the landing is left."""
    world = World(home, now=LOADED_AT)
    shutil.copytree(folder / "landing", world.settings.landing)
    return world


@pytest.fixture
def old(tmp_path: Path) -> World:
    return world_of(HERE / "v1", tmp_path / "home")


def test_segments_of_every_format_are_kept_here() -> None:
    for number, folder in enumerate(FOLDERS, 1):
        segments = [pl.read_parquet(path) for path in (folder / "landing").glob("*.parquet")]
        formats = {segment["format"].item(0) if "format" in segment.columns else 1 for segment in segments}
        assert formats == {number}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_landing_of_a_format_is_rebuilt_to_the_tables_of_its_time(folder: Path, tmp_path: Path) -> None:
    world = world_of(folder, tmp_path / "home")
    world.road().rebuild()
    for path in sorted((folder / "tables").glob("*.parquet")):
        expected = pl.read_parquet(path).select(pl.exclude(r"^.*_ratio_(low|high)$"))  # bounds were of the whole month
        if path.stem == "core.finding":  # rules are added, and find more
            rules = expected["rule"].unique().to_list()
            got = world.sql(f"from {path.stem}").filter(pl.col("rule").is_in(rules))
        else:
            got = world.sql(f"from {path.stem}")
        if "attributed_minutes" in expected.columns and path.stem == "core.day_energy":
            expected = expected.cast({"attributed_minutes": pl.Int32()})
        if "valid_hours" in expected.columns:  # float hours then, whole minutes now
            minutes = (pl.col("valid_hours") * 60).round().cast(pl.Int32).alias("valid_minutes")
            expected = expected.with_columns(minutes).drop("valid_hours")
        assert_frame_equal(
            got.select(expected.columns), expected, check_row_order=False, check_exact=path.stem.startswith("core.")
        )


def test_a_segment_that_cannot_be_read_here_is_not_marked_as_loaded(old: World) -> None:
    """It is loaded by the version that knows it; what was loaded before stays."""
    old.road().rebuild()
    landing = Landing(old.settings.landing)
    newest = landing.folder / landing.segments()[-1]
    foreign = pl.read_parquet(newest).with_columns(kind=pl.lit("event"))
    foreign.write_parquet(landing.folder / "20991231T000000000000Z-00000000.parquet")
    with pytest.raises(LandingError, match="kind 'event'"):
        old.road().load()
    with old.road().warehouse.writing() as writer:
        held = writer.read("select segment from core.loaded_segment")["segment"]
    assert sorted(held) == landing.segments()[:-1]
