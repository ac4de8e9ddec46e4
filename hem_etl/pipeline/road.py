"""The road: from the API to the published file. Only this module knows the order of the stations.

    sync_systems ─▶ load ─▶ plan ─▶ extract ─▶ load ─▶ build models ─▶ check ─▶ publish

The network is asked without any lock; the warehouse's lock is held for planning reads, for loading, and for build +
checks + copy. Whatever stops a run, what was fetched is landed, and the next run loads it without asking again.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import polars as pl

from hem_etl.answer import Answer
from hem_etl.enode.client import EnodeClient
from hem_etl.enode.wire import read_json
from hem_etl.errors import HemEtlError, OutOfReachError, TornFileError, UsageError
from hem_etl.landing import open_landing
from hem_etl.local_day import CLOCK_TOLERANCE, Interval, naive_utc
from hem_etl.pipeline import batches, loading, plans, publishing
from hem_etl.pipeline.ahead import Ahead
from hem_etl.pipeline.clients import require_one_api, utc_now
from hem_etl.pipeline.commit import Loaded
from hem_etl.pipeline.events import take_deliveries, users_to_list
from hem_etl.pipeline.extraction import Extracted, extract
from hem_etl.pipeline.future import holds_the_future
from hem_etl.pipeline.keys import key_frame
from hem_etl.pipeline.ledger import read_entries
from hem_etl.pipeline.listing import list_fleet, list_users
from hem_etl.pipeline.overrides import land_overrides, list_overrides
from hem_etl.pipeline.planning import Plan, Request
from hem_etl.pipeline.publishing import published_results
from hem_etl.pipeline.report import (
    NOTHING_LISTED,
    Listed,
    ListsWanted,
    OverridesReport,
    Progress,
    RunReport,
    Silence,
)
from hem_etl.pipeline.stored import (
    failed_intervals,
    known_systems,
    overrides_in_force,
    require_whole,
    seconds_per_request,
)
from hem_etl.settings import Settings
from hem_etl.warehouse import CheckResult, Reader, Writer, open_warehouse, packaged_models
from hem_etl.webhooks.inbox import open_inbox

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


def _on_a_whole_file(verb: Callable[Concatenate["Road", P], T]) -> Callable[Concatenate["Road", P], T]:
    """The verb once more where the writer's file turns out to be torn: on one that was made again from landing."""

    @wraps(verb)
    def whole(road: "Road", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(road, *args, **kwargs)
        except TornFileError as error:
            road.make_anew(error)
        return verb(road, *args, **kwargs)

    return whole


class Road:
    """The stations of one home directory. Verbs may be called one by one (Dagster does) or all by `run`."""

    def __init__(
        self,
        settings: Settings,
        *,
        client: EnodeClient | None = None,
        clock: Callable[[], datetime] = utc_now,
        progress: Progress | None = None,
        is_part: bool = False,
    ) -> None:
        """is_part: its runs of intervals and of late data are parts of one over the fleet: they ask for no list, and
        leave publishing to whoever comes after the last part.
        """
        self.settings = settings
        self.landing = open_landing(settings)
        self.warehouse = open_warehouse(settings)
        self.models = packaged_models()
        self._client = client
        self._clock = clock
        self._progress = progress or Silence()
        self._is_part = is_part
        if client is not None:
            client.on_wait = self._tell_wait
        self.changed_checks: frozenset[str] = frozenset()
        """Checks that found another number of rows at the newest publish than at the one before."""
        self.own_problem: str | None = None
        """Why a user's own models were left out of the newest publish."""

    def run(self, request: Request) -> RunReport:
        """The whole road for a range of local days.

        Raises AccessError, LandingError, WriterBusyError or StructuralCheckError; what was fetched is landed by then.
        """
        return self._travel(
            lambda warehouse: plans.of_range(warehouse, request, self._now_utc()),
            lambda: self.sync_systems(request.users),
        )

    def run_intervals(self, wanted: Iterable[tuple[str, Interval]], *, is_refresh: bool = False) -> RunReport:
        """The whole road for these (system, interval) pairs: what is due of them, or all with `is_refresh`.

        Systems that are not known, or gone, are left out and logged: one stale key must not stop the others. Errors
        as `run`.
        """
        by_system: dict[str, list[Interval]] = {}
        for system_id, interval in wanted:
            by_system.setdefault(system_id, []).append(interval)
        return self._travel(
            lambda warehouse: plans.of_intervals(warehouse, by_system, self._now_utc(), is_refresh=is_refresh),
            self._lists_of_a_part_or_all,
        )

    def run_late(self, is_wanted: Callable[[str], bool] = lambda _: True) -> RunReport:
        """The whole road for everything in the ledger that is due again, however old; errors as `run`.

        is_wanted: of which systems.
        """
        return self._travel(
            lambda warehouse: plans.of_late_data(warehouse, self.settings, self._now_utc(), is_wanted),
            self._lists_of_a_part_or_all,
        )

    def run_due(self) -> RunReport:
        """The whole road for what webhooks announced: lists what events ask to be listed; errors as `run`."""
        return self._travel(lambda warehouse: plans.of_events(warehouse, self.settings, self._now_utc()), None)

    def _travel(self, make_plan: Callable[[Reader], Plan], make_lists: Callable[[], Listed] | None) -> RunReport:
        """make_lists: None where what is landed says which lists are to be asked, if any."""
        started = self._clock()
        requests_before = self.client.requests_made
        self.take_deliveries()
        listed = None if make_lists is None else make_lists()
        with Ahead(self.landing, self.settings) as ahead:
            begun = self._begin(make_plan, listed, ahead)
            if isinstance(begun, ListsWanted):
                self._progress.begin("systems", None)
                listed = list_users(self.client, self.landing, begun.users, begun.systems)
                begun = self._begin(make_plan, listed, ahead)
                assert not isinstance(begun, ListsWanted)
            plan, report = begun
            listed = listed or NOTHING_LISTED
            report.list_failure = listed.failure
            if plan.requests:
                report.body_bytes = self.extract(plan, listed, ahead).body_bytes
                self._finish(plan, report, ahead)
        report.requests = self.client.requests_made - requests_before
        report.seconds = (self._clock() - started).total_seconds()
        LOG.info(
            "run done asked=%d requests=%d outcomes=%s new_days=%d changed_days=%d seconds=%.1f",
            report.asked,
            report.requests,
            report.outcomes,
            report.new_days,
            report.changed_days,
            report.seconds,
        )
        return report

    @_on_a_whole_file
    def _begin(
        self, make_plan: Callable[[Reader], Plan], listed: Listed | None, ahead: Ahead
    ) -> tuple[Plan, RunReport] | ListsWanted:
        """Load what is landed and plan; where nothing is due, publish too, in the same opening of the writer's file.

        Without lists: where events wait for some, those and no plan.
        """
        with self._loading() as (writer, loaded):
            if listed is None and (users := users_to_list(writer)):
                return ListsWanted(users, known_systems(writer))
            if listed is not None and listed.is_out_of_reach:
                raise OutOfReachError(
                    f"Enode cannot be reached ({listed.failure}): nothing was asked, what is landed is loaded. Check "
                    "the network, and HTTPS_PROXY and SSL_CERT_FILE where there is a proxy; then run again."
                )
            plan = make_plan(writer)
            report = RunReport(
                fleet_size=plan.fleet_size,
                asked=plan.requests,
                not_due=plan.not_due,
                not_begun=plan.not_begun,
                recut=sorted(loaded.recut),
                gone=dict(plan.gone),
            )
            if plan.requests:
                ahead.follow(plan, writer)
            else:
                self._conclude(writer, plan, report)
            return plan, report

    @_on_a_whole_file
    def _finish(self, plan: Plan, report: RunReport, ahead: Ahead) -> None:
        with self._loading(ahead) as (writer, loaded):
            report.new_days, report.changed_days = loaded.new_days, loaded.changed_days
            report.unchanged, report.rows = loaded.unchanged, loaded.rows
            self._conclude(writer, plan, report)

    def _conclude(self, writer: Writer, plan: Plan, report: RunReport) -> None:
        """Tell how it ended, and publish unless it is a part, or readers would see nothing new."""
        report.entries = read_entries(writer, key_frame(plan.before))
        report.tell_outcomes(plan)
        report.red = failed_intervals(writer)
        if self._is_part:
            return
        equal = published_results(writer, self.warehouse, self.models, self.settings.own_models)
        report.checks = equal or self._publish(writer, is_whole=False)
        report.warnings = [check for check in report.checks if check.failing_rows]
        report.changed_checks = self.changed_checks
        report.published = self.warehouse.describe().published

    @cached_property
    def client(self) -> EnodeClient:
        """UsageError where there is none, SettingsError where this home was filled from another API."""
        if self._client is None:
            raise UsageError("this road was made without a client: nothing can be asked")
        require_one_api(self.settings)
        return self._client

    def sync_systems(self, users: Iterable[str] = ()) -> Listed:
        """Ask for the lists and land them. A list that fails is no empty fleet: what is known stays.

        Raises AccessError when Enode refuses the credentials or the feature.
        """
        self._progress.begin("systems", None)
        return list_fleet(self.client, self.landing, users)

    def _lists_of_a_part_or_all(self) -> Listed:
        return NOTHING_LISTED if self._is_part else self.sync_systems()

    def take_deliveries(self) -> int:
        """Bring what webhook receivers kept into landing; returns how many deliveries."""
        return take_deliveries(open_inbox(self.settings), self.landing)

    def read_state(self, system_id: str) -> Any:
        """One system's current state as Enode sends it; landed like every look. HemEtlError where there is none."""
        with self.landing.writer() as writer:
            answer = self.client.fetch_system(system_id)
            writer.add(answer)
        if answer.outcome is not None or answer.body is None:
            raise HemEtlError(f"no state of system {system_id!r}: {answer.outcome} ({answer.detail})")
        return read_json(answer.body)

    @_on_a_whole_file
    def plan(self, request: Request) -> Plan:
        """What is due in the range, by the writer's own tables.

        Raises UsageError when a named system is not known.
        """
        with self._writing() as writer:
            return plans.of_range(writer, request, self._now_utc())

    def preview(self, request: Request) -> Plan:
        """The same by the published file: what `run` would ask, without asking or waiting for a writer."""
        if not self.warehouse.is_published():
            raise UsageError(
                "nothing is known of the fleet yet, so there is nothing to plan: `hem-etl systems` lists it "
                "(and asks for no statistics), then plan again"
            )
        with self.warehouse.reading() as published:
            return replace(
                plans.of_range(published, request, self._now_utc()), seconds_per_request=seconds_per_request(published)
            )

    def extract(self, plan: Plan, listed: Listed, ahead: Ahead | None = None) -> Extracted:
        """Ask for everything in the plan and land it; `ahead` is told of each segment."""
        self._progress.begin("statistics", plan.requests)
        done = 0

        def count(_: Answer) -> None:
            nonlocal done
            done += 1
            self._progress.advance(done)
            if ahead is not None:
                ahead.arrived(writer.segments)

        with self.landing.writer() as writer:
            return extract(
                self.client,
                plan,
                writer,
                workers=self.settings.max_in_flight,
                is_listed=lambda system_id: listed.system_ids is None or system_id in listed.system_ids,
                clock=self._clock,
                on_answer=count,
            )

    def load(self) -> Loaded:
        """Bring what is landed and not loaded into the tables, without asking.

        Raises ClockError where landed looks come from the future, unless the clock was compared with Enode's.
        """
        try:
            return self._load()
        except TornFileError as error:
            self._set_aside(error)
        return self._load()

    def make_anew(self, error: TornFileError) -> None:
        """Set the torn file aside and fill a new one from landing. The published file stays."""
        self._set_aside(error)
        self._load()

    def _set_aside(self, error: TornFileError) -> None:
        require_whole(self.landing, self.warehouse)
        LOG.warning("%s That is done now; the torn file is %s", error, self.warehouse.reset(is_torn=True))

    def _load(self) -> Loaded:
        with self._loading() as (_, loaded):
            return loaded

    @contextmanager
    def _loading(self, ahead: Ahead | None = None) -> Iterator[tuple[Writer, Loaded]]:
        """The writer's file, everything landed loaded into it; `ahead`: what is prepared already."""
        if not self.warehouse.describe().is_begun:
            require_whole(self.landing, self.warehouse)
        clock = None if self._client is None else self._client.seconds_ahead
        is_clock_right = clock is not None and abs(clock) <= CLOCK_TOLERANCE.total_seconds()
        with self._writing() as writer:
            if not (is_clock_right and holds_the_future(writer, self._clock())):
                yield writer, self._load_into(writer, is_clock_right, ahead)
                return
        # tables that know looks from the future would never take an honest one
        require_whole(self.landing, self.warehouse)
        LOG.warning("the warehouse holds looks from the future: it is made again from landing, without them")
        self.warehouse.reset()
        with self._writing() as writer:
            yield writer, self._load_into(writer, is_clock_right)

    def _load_into(self, writer: Writer, is_clock_right: bool, ahead: Ahead | None = None) -> Loaded:
        with ahead or Ahead(self.landing, self.settings) as preparing, writer.in_one_thread():
            return loading.load(
                writer,
                self.landing,
                self.settings,
                self._clock(),
                preparing,
                is_clock_right=is_clock_right,
                on_segment=self._tell_segment,
            )

    @_on_a_whole_file
    def publish(self) -> list[CheckResult]:
        """Build the models, run the checks on everything, publish.

        Raises StructuralCheckError; the last good file then stays.
        """
        with self.warehouse.writing() as writer:
            return self._publish(writer, is_whole=True)

    def _publish(self, writer: Writer, *, is_whole: bool) -> list[CheckResult]:
        self._progress.begin("models, checks, publish", None)
        found = publishing.publish(
            writer, self.models, self._now_utc(), own=self.settings.own_models, is_whole=is_whole
        )
        self.changed_checks, self.own_problem = found.changed_checks, found.own_problem
        return found.checks

    @_on_a_whole_file
    def apply_overrides(self, file: bytes) -> OverridesReport:
        """Put a file of corrections in force in place of the one before; asks nobody.

        Raises UsageError that tells every problem of the file, and then nothing is applied; errors as `publish`.
        """
        self.load()
        with self._writing() as writer:
            before = overrides_in_force(writer)
            land_overrides(writer, self.landing, file, self._clock(), self.settings.over_limit_kw)
        loaded = self.load()
        self.publish()
        listed = self.overrides()
        now = set(listed["override_id"])
        columns = ("system_id", "start", "end", "metric", "loaded_days", "days_without_the_series")
        return OverridesReport(
            rows=len(now),
            new_rows=len(now - before),
            taken_back=len(before - now),
            changed_days=sorted(loaded.edited),
            idle=listed.filter(pl.col("edited_buckets") == 0).select(columns).to_dicts(),
            published=self.warehouse.describe().published,
        )

    def overrides(self) -> pl.DataFrame:
        """The corrections in force by the published file, and what each does."""
        with self.warehouse.reading() as published:
            return list_overrides(published)

    def rebuild(self) -> Loaded:
        """The warehouse again from landing alone. The published file is replaced at the end, if the checks pass."""
        if not self.landing.segments():
            raise UsageError(f"nothing is landed in {self.landing.place.name}: there is nothing to rebuild from")
        require_whole(self.landing, self.warehouse)
        self.warehouse.reset()
        loaded = self.load()
        self.publish()
        return loaded

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        with self.warehouse.writing() as writer:
            writer.create_tables(self.models)
            yield writer

    def _tell_wait(self, what: str, seconds: float, why: object) -> None:
        self._progress.note(f"no good answer ({why}): trying again in {seconds:.0f} s · {what}")

    def _now_utc(self) -> datetime:
        return naive_utc(self._clock())

    def _tell_segment(self, done: int, total: int) -> None:
        if done <= batches.SEGMENTS_PER_TRANSACTION:
            self._progress.begin("load", total)
        self._progress.advance(done)
