"""Batched event storage: the same pages as with Dagster's own, in the same files; a refusal falls back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from hypothesis import given
from hypothesis import strategies as st

from hem_etl.orchestration.event_log import BATCH_VARIABLE, BatchedSqliteEventLogStorage, apart

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "hem_etl" / "orchestration"
PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "day": dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-03-01"),
        "system": dg.StaticPartitionsDefinition(["a", "b", "c"]),
    }
)


@dg.asset(partitions_def=PARTITIONS)
def statistics() -> None:
    """Something on system × day."""


@contextmanager
def instance(home: Path, *, is_batched: bool) -> Iterator[dg.DagsterInstance]:
    home.mkdir(exist_ok=True)
    config = yaml.safe_load((SHIPPED / "dagster.yaml").read_text())
    if not is_batched:
        del config["event_log_storage"]
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


def run(made: dg.DagsterInstance) -> None:
    tags = {
        "dagster/asset_partition_range_start": "2026-01-01|a",
        "dagster/asset_partition_range_end": "2026-01-20|c",
    }
    assert dg.materialize([statistics], instance=made, tags=tags).success


def seen(made: dg.DagsterInstance) -> object:
    """What the pages of the asset and of the run read."""
    (key,) = [statistics.key]
    (record,) = made.get_asset_records([key])
    entry = record.asset_entry
    (last_run,) = made.get_runs(limit=1)
    tags = [
        {name: value for name, value in told.items() if name.startswith("dagster/partition/")}
        for told in made.event_log_storage.get_event_tags_for_asset(key)
    ]
    return (
        sorted(made.get_materialized_partitions(key)),
        sorted(str(sorted(tag.items())) for tag in tags),
        len(made.fetch_materializations(key, limit=1000).records),
        entry.last_materialization is not None and entry.last_materialization.run_id == entry.last_run_id,
        len([e for e in made.all_logs(last_run.run_id) if e.is_dagster_event]),
    )


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(BATCH_VARIABLE, "7")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "batched"))


def test_batches_show_the_same_as_dagsters_own_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with instance(tmp_path / "batched", is_batched=True) as made:
        assert isinstance(made.event_log_storage, BatchedSqliteEventLogStorage)
        run(made)
        batched = seen(made)
    with instance(tmp_path / "batched", is_batched=False) as made:
        assert type(made.event_log_storage) is SqliteEventLogStorage
        assert seen(made) == batched
    monkeypatch.delenv(BATCH_VARIABLE)
    with instance(tmp_path / "stock", is_batched=False) as made:
        run(made)
        assert seen(made) == batched


def test_no_two_events_of_a_run_share_a_millisecond_and_their_order_is_kept(tmp_path: Path) -> None:
    """The tab Events shows two events of one run and one millisecond as one."""
    with instance(tmp_path / "batched", is_batched=True) as made:
        run(made)
        records = made.fetch_materializations(statistics.key, limit=1000, ascending=True).records
    shown = [int(record.timestamp * 1000) for record in records]
    assert len(set(shown)) == 60
    assert shown == sorted(shown)


@given(st.lists(st.floats(1.7e9, 1.9e9), max_size=20))
def test_times_move_forward_by_at_most_a_millisecond_for_each_event(times: list[float]) -> None:
    given_events = [EventLogEntry(None, "info", str(number), "run", time) for number, time in enumerate(sorted(times))]
    events = apart(given_events)
    assert [event.user_message for event in events] == [event.user_message for event in given_events]
    assert len({int(event.timestamp * 1000) for event in events}) == len(events)
    for before, after in zip(given_events, events, strict=True):
        assert before.timestamp <= after.timestamp <= before.timestamp + (len(events) + 1) / 1000


def test_a_batch_that_is_refused_is_stored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the private part is gone")

    monkeypatch.setattr(BatchedSqliteEventLogStorage, "store_event_batch", refuse)
    with instance(tmp_path / "batched", is_batched=True) as made:
        run(made)
        assert len(made.get_materialized_partitions(statistics.key)) == 60
    assert "Falling back" in capfd.readouterr().err


def test_batches_are_on_without_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BATCH_VARIABLE)
    batches = []
    real = BatchedSqliteEventLogStorage.store_event_batch
    monkeypatch.setattr(
        BatchedSqliteEventLogStorage,
        "store_event_batch",
        lambda self, events: (batches.append(len(events)), real(self, events))[1],
    )
    with instance(tmp_path / "batched", is_batched=True) as made:
        run(made)
    assert 60 in batches


def test_postgres_differs_in_its_storage_only() -> None:
    ours, postgres = (yaml.safe_load((SHIPPED / name).read_text()) for name in ("dagster.yaml", "postgres.yaml"))
    del ours["event_log_storage"], postgres["storage"]
    assert ours == postgres
