"""Sensors: `new_systems` finds systems and fills their past, `webhook_events` acts on what Enode announces, `alert`
tells somebody that a run failed.

`new_systems` asks Enode nothing by itself: it lets `hem_systems` list the fleet once an hour, reads in the published
file what was never asked, and requests one run after the other, coarse to fine: months first, which tell where a
system's history begins, then days, newest first. What was asked and failed is `late_data`'s business.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg
import httpx

from hem_etl.enode.gate import Gate
from hem_etl.enode.transfer import NoAnswerError, Transfer
from hem_etl.errors import HemEtlError
from hem_etl.facts import fleet_numbers, never_asked, waiting_events
from hem_etl.local_day import Interval, days_between, months_between
from hem_etl.orchestration.assets import ANNOUNCED_DATA, DAY_STATISTICS, HEM_SYSTEMS, MONTH_STATISTICS
from hem_etl.orchestration.partitions import SYSTEMS, Scheme
from hem_etl.orchestration.resources import Roads
from hem_etl.orchestration.tags import LONGEST, PRIORITY, WHY
from hem_etl.pipeline import backlog
from hem_etl.settings import load_settings
from hem_etl.warehouse import Warehouse, open_warehouse
from hem_etl.webhooks.inbox import open_inbox

LOG = logging.getLogger(__name__)

EVERY_SECONDS: Final = 60
LIST_EVERY: Final = timedelta(hours=1)
REST_AFTER_FAILURE: Final = timedelta(hours=1)
MOST_REQUESTS: Final = 2_000
"""Intervals in one run of a backfill: what it fetched is published after minutes, not after days."""
BUDGET_SECONDS: Final = 900
MOST_ANSWER_BYTES: Final = 1_000_000
BACKFILL: Final = "backfill of new systems"
LISTING: Final = "hourly list"
EVENTS: Final = "webhook events"
EVENTS_EVERY_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Intervals first..last × the system keys first..last, in their order."""

    first: Interval
    last: Interval
    keys: tuple[str, ...]


def newest_rectangle(
    missing: Iterable[tuple[str, Interval]], intervals: Sequence[Interval], order: Sequence[str], most: int
) -> Rectangle | None:
    """The rectangle to ask next: the first stretch of keys that lack the newest missing one, as far back as all do.

    `missing` holds (key, interval); `intervals` are in the order of time, `order` is that of the keys. At
    most `most` cells, but at least one.
    """
    lacking_in: dict[Interval, set[str]] = {}
    for key, interval in missing:
        lacking_in.setdefault(interval, set()).add(key)
    newest = next((number for number in reversed(range(len(intervals))) if intervals[number] in lacking_in), None)
    if newest is None:
        return None
    lacking = lacking_in[intervals[newest]]
    start = next((place for place, key in enumerate(order) if key in lacking), None)
    if start is None:
        return None
    stretch = [order[start]]
    while start + len(stretch) < len(order) and order[start + len(stretch)] in lacking and len(stretch) < most:
        stretch.append(order[start + len(stretch)])
    first = newest
    while (
        first > 0
        and lacking_in.get(intervals[first - 1], set()).issuperset(stretch)
        and (newest - first + 2) * len(stretch) <= most
    ):
        first -= 1
    return Rectangle(intervals[first], intervals[newest], tuple(stretch))


def new_systems_sensor(scheme: Scheme, roads: Roads) -> dg.SensorDefinition:
    """Off until a person turns it on."""

    @dg.sensor(
        name="new_systems",
        asset_selection=[HEM_SYSTEMS, DAY_STATISTICS, MONTH_STATISTICS],
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Lists the fleet once an hour, adds keys for new systems, and fills what was never asked since "
        "HEM_ETL_START_DATE: months first, then days, newest first, one run at a time. Off until you turn it on.",
    )
    def new_systems(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        settings = roads.settings()
        now = datetime.now(UTC)
        cursor = datetime.fromisoformat(context.cursor) if context.cursor else None
        if cursor is None or now - cursor >= LIST_EVERY:
            listing = dg.RunRequest(asset_selection=[HEM_SYSTEMS], tags={WHY: LISTING, PRIORITY: "5"} | LONGEST)
            return dg.SensorResult([listing], cursor=now.isoformat())
        warehouse = open_warehouse(settings)
        if reason := _reason_to_wait(context.instance, warehouse, now):
            return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
        new = scheme.new_keys(fleet_numbers(warehouse).system_ids, context.instance)
        order = [*scheme.system_keys(context.instance), *new]
        most = min(MOST_REQUESTS, int(settings.requests_per_second * BUDGET_SECONDS) or MOST_REQUESTS)
        request = backfill_request(scheme, warehouse, order, now.date(), most)
        return dg.SensorResult(
            run_requests=[request] if request else [],
            skip_reason=None if request else dg.SkipReason("nothing that was never asked"),
            cursor=context.cursor,
            dynamic_partitions_requests=[_adding(new)] if new else [],
        )

    return new_systems


def backfill_request(
    scheme: Scheme, warehouse: Warehouse, order: Sequence[str], today: date, most: int
) -> dg.RunRequest | None:
    """The next run of the backfill; None where everything up to yesterday was asked at least once."""
    yesterday = today - timedelta(days=1)
    start = date.fromisoformat(scheme.start)
    months = [*map(Interval.of_month, months_between(start, yesterday))]
    days = [*map(Interval.of_day, days_between(start, yesterday))]
    for asset, intervals in ((MONTH_STATISTICS, months), (DAY_STATISTICS, days)):
        missing = {
            (scheme.system_key(system_id), interval) for system_id, interval in never_asked(warehouse, intervals)
        }
        rectangle = newest_rectangle(missing, intervals, order, most)
        if rectangle is not None:
            window = scheme.window(rectangle.first.label, rectangle.last.label, rectangle.keys)
            return dg.RunRequest(asset_selection=[asset], tags={WHY: BACKFILL, PRIORITY: "-10"} | LONGEST | window)
    return None


def webhook_events_sensor(roads: Roads) -> dg.SensorDefinition:
    """Off until a person turns it on. What waits is read from the inbox and the published file, never remembered."""

    @dg.sensor(
        name="webhook_events",
        asset_selection=[ANNOUNCED_DATA],
        minimum_interval_seconds=EVENTS_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Turns the webhooks that `hem-etl webhooks serve` keeps into runs of announced_data, many events "
        "in one run: at once where a system or a user's state is told of, else once in HEM_ETL_EVENT_MINUTES, and one "
        "run at a time. Off until you turn it on.",
    )
    def webhook_events(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        settings = roads.settings()
        now = datetime.now(UTC)
        last = next(iter(context.instance.get_run_records(dg.RunsFilter(tags={WHY: EVENTS}), limit=1)), None)
        if last is not None and not last.dagster_run.is_finished:
            return dg.SkipReason("the last run for events is still going on")
        kept = backlog(open_inbox(settings))
        gap = timedelta(minutes=settings.event_minutes)
        has_rested = last is None or now - last.create_timestamp.astimezone(UTC) >= gap
        if not kept.is_urgent and not has_rested:
            return dg.SkipReason(f"the last run for events began less than {gap} ago")
        is_to_repeat = last is not None and last.dagster_run.is_failure
        if not kept.deliveries and not is_to_repeat and not _has_waiting_events(open_warehouse(settings)):
            return dg.SkipReason("no event waits")
        # a daemon that starts again between request and run repeats nothing
        run_key = f"{kept.newest} after {last.dagster_run.run_id if last else 'none'}"
        return dg.RunRequest(run_key=run_key, tags={WHY: EVENTS, PRIORITY: "15"} | LONGEST)

    return webhook_events


def _has_waiting_events(warehouse: Warehouse) -> bool:
    """By the published file; one that cannot be read is published anew by other runs."""
    with suppress(HemEtlError):
        return warehouse.is_published() and waiting_events(warehouse) > 0
    return False


def alert_sensor() -> dg.SensorDefinition:
    """On: without HEM_ETL_ALERT_URL it does nothing."""

    @dg.run_failure_sensor(
        name="alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Posts every failed run as JSON (`text`, `run_id`, `assets`, `error`) to HEM_ETL_ALERT_URL. "
        "Without that setting it does nothing.",
    )
    def alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        url = alert_url()
        if url is None:
            return dg.SkipReason("HEM_ETL_ALERT_URL is not set")
        post_alert(url, alert_message(context))
        return None

    return alert


def alert_message(context: dg.RunFailureSensorContext) -> dict[str, object]:
    """What is posted. `text` is what chat programs show."""
    run = context.dagster_run
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    error = _first_failure(context) or context.failure_event.message or "unknown"
    return {
        "text": f"hem_etl: the run {run.run_id[:8]} of {', '.join(assets) or run.job_name} failed: {error}",
        "run_id": run.run_id,
        "assets": assets,
        "error": error,
    }


def post_alert(url: str, message: dict[str, object], transport: httpx.BaseTransport | None = None) -> None:
    """Post it once. The URL is a secret: an error never shows it."""
    given = None if transport is None else lambda: transport
    transfer = Transfer(Gate(1), urls=(url,), max_body_bytes=MOST_ANSWER_BYTES, transport=given)
    try:
        status = transfer.send("POST", url, headers={}, json=message, read_timeout_seconds=10).status
    except NoAnswerError as error:
        raise RuntimeError(f"HEM_ETL_ALERT_URL could not be reached: {error.kind}") from None
    finally:
        transfer.close()
    if status >= 400:
        raise RuntimeError(f"HEM_ETL_ALERT_URL answered {status}: correct it, or unset it to send no alerts")


def alert_url() -> str | None:
    """Where alerts go."""
    url = load_settings().alert_url
    return url.get_secret_value() if url else None


def _first_failure(context: dg.RunFailureSensorContext) -> str | None:
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data and data.user_failure_data.description:
            return data.user_failure_data.description
        if data.error:
            return data.error.message.strip()
    return None


def _reason_to_wait(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> dg.SkipReason | None:
    if not warehouse.is_published():
        return dg.SkipReason("nothing is published yet: hem_systems must run first")
    records = instance.get_run_records(dg.RunsFilter(tags={WHY: BACKFILL}), limit=1)
    for record in records:
        if not record.dagster_run.is_finished:
            return dg.SkipReason("the last run of this backfill is still going on")
        if record.dagster_run.is_failure and now - record.update_timestamp.astimezone(UTC) < REST_AFTER_FAILURE:
            return dg.SkipReason("the last run of this backfill failed: waiting an hour before the next")
    return None


def _adding(keys: Sequence[str]) -> dg.AddDynamicPartitionsRequest:
    return dg.AddDynamicPartitionsRequest(SYSTEMS, keys)
