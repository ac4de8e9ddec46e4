"""The assets that ask Enode. Each body reads its keys, calls one verb of the road and tells numbers.

hem_systems ─▶ day_statistics [day × system], month_statistics [month × system] ─▶ late_data ─▶ SQL models
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final

import dagster as dg
from pydantic import Field

from hem_etl.answer import Key
from hem_etl.errors import UsageError
from hem_etl.facts import fleet_numbers
from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.recording import (
    partition_metadata,
    read_published_figures,
    record_checks,
    record_materializations,
    record_partitions,
    run_metadata,
)
from hem_etl.orchestration.resources import Roads
from hem_etl.orchestration.tables import markdown
from hem_etl.orchestration.tags import is_part
from hem_etl.pipeline import Request, RunReport
from hem_etl.settings import MANY_PARTITIONS, MOST_PARTITIONS, Settings
from hem_etl.vocabulary import IntervalKind
from hem_etl.warehouse import Warehouse, open_warehouse

GROUP: Final = "enode"

HEM_SYSTEMS: Final = dg.AssetKey("hem_systems")
DAY_STATISTICS: Final = dg.AssetKey("day_statistics")
MONTH_STATISTICS: Final = dg.AssetKey("month_statistics")
LATE_DATA: Final = dg.AssetKey("late_data")
ANNOUNCED_DATA: Final = dg.AssetKey("announced_data")
SELECTED_DATA: Final = dg.AssetKey("selected_data")

ROAD_RULES: Final = """

Every run lists the systems (announced_data where an event needs it), asks what is due, lands the answers, loads them,
builds and checks the SQL models and publishes the file that people query. A partition is green when its last look
ended in a known outcome: data, or a reason why there are none (before_installation, relink_needed, …: see the
partition's metadata). It is red when Enode could not be reached or understood, or refused the request. Materialising a
partition that is settled asks nothing. With the tag hem_etl/publishes: later, a run asks for no list and leaves
publishing to the sensor `publish`.
"""


def enode_assets(scheme: Scheme) -> list[dg.AssetsDefinition]:
    """All assets that ask Enode."""
    return [
        _hem_systems(scheme),
        _statistics(
            scheme,
            DAY_STATISTICS,
            scheme.days,
            "Power of one system on one local day, as Enode sends it: six flows and the state of charge, in buckets of "
            "5 or 15 minutes. Materialise partitions to fetch them; a backfill in the browser makes a "
            "run for each day (or each system, whichever are fewer); the newest two days "
            "stay missing until they have begun everywhere.",
        ),
        _statistics(
            scheme,
            MONTH_STATISTICS,
            scheme.months,
            "Energy of one system in one month, day by day, as the vendor itself reports it. Compared with the sums of "
            "our buckets in marts/reconciliation.",
        ),
        _late_data(scheme),
        _announced_data(scheme),
        _selected_data(scheme),
    ]


def _hem_systems(scheme: Scheme) -> dg.AssetsDefinition:
    @dg.asset(
        key=HEM_SYSTEMS,
        group_name=GROUP,
        kinds={"python", "duckdb"},
        description="The fleet: lists systems and their devices and adds a partition key for every new system. Keys "
        "are never deleted: a system that disappears keeps its history. An empty or broken list changes nothing.",
    )
    def hem_systems(context: dg.AssetExecutionContext, roads: dg.ResourceParam[Roads]) -> dg.MaterializeResult[None]:
        with roads.open(context.log) as road:
            listed = road.sync_systems()
            road.load()
            record_checks(context.instance, road.publish(), road.changed_checks, road.warehouse)
        fleet = fleet_numbers(road.warehouse)
        new = scheme.add_keys(fleet.system_ids, context.instance)
        if listed.failure:
            raise dg.Failure(
                f"the list of systems is incomplete ({listed.failure}): what is known stays; run again later"
            )
        return dg.MaterializeResult(
            metadata={
                "systems": len(fleet.system_ids),
                "systems_gone": fleet.systems_gone,
                "new_keys": new,
                "vendors": markdown(fleet.vendors.columns, fleet.vendors.rows()),
                "devices": fleet.devices,
                **partition_metadata_of(scheme, context.instance),
            }
        )

    return hem_systems


def _statistics(
    scheme: Scheme, key: dg.AssetKey, partitions: dg.MultiPartitionsDefinition, description: str
) -> dg.AssetsDefinition:
    @_partitioned_asset(
        key=key,
        group_name=GROUP,
        kinds={"python", "duckdb"},
        partitions_def=partitions,
        deps=[HEM_SYSTEMS],
        output_required=False,
        description=description + ROAD_RULES,
    )
    def statistics(
        context: dg.AssetExecutionContext, roads: dg.ResourceParam[Roads]
    ) -> Iterator[dg.MaterializeResult[None]]:
        fleet = _fleet(scheme, roads.settings())
        members = scheme.members(context.partition_keys, fleet)
        if not members and context.partition_keys and fleet:
            context.log.info("no system is in these buckets: there is nothing to ask")
            return
        if not members:
            raise dg.Failure(
                "this range holds no partition: its first system comes after its last in the order of the partition "
                "keys, or no system is known yet (materialise hem_systems first)",
                allow_retries=False,
            )
        with roads.open(context.log, is_part=is_part(context.run)) as road:
            report = road.run_intervals(members)
        record_partitions(context, report, members, road.warehouse)
        yield from ()  # a result here would be one more event for each partition

    return statistics


def _partitioned_asset(**options: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` in single-run backfills: Dagster warns that their parameter is beta, which nobody here can act on."""

    def decorate(body: Callable[..., Any]) -> dg.AssetsDefinition:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            asset: dg.AssetsDefinition = dg.asset(backfill_policy=dg.BackfillPolicy.single_run(), **options)(body)
        return asset

    return decorate


class Late(dg.Config):
    """What `late_data` looks at."""

    keys: list[str] = Field(default=[], description="only these partition keys (systems or buckets); none: all")


def _late_data(scheme: Scheme) -> dg.AssetsDefinition:
    @dg.asset(
        key=LATE_DATA,
        group_name=GROUP,
        kinds={"python", "duckdb"},
        deps=[DAY_STATISTICS, MONTH_STATISTICS],
        description="Everything that is not settled, however old: days that vendors may still correct, failures that "
        "may be over, systems that answer again. Records a materialisation of day_statistics and month_statistics "
        "for exactly the partitions whose content or state changed." + ROAD_RULES,
    )
    def late_data(
        context: dg.AssetExecutionContext, config: Late, roads: dg.ResourceParam[Roads]
    ) -> dg.MaterializeResult[None]:
        with roads.open(context.log, is_part=is_part(context.run)) as road:
            report = road.run_late(lambda system_id: not config.keys or scheme.system_key(system_id) in config.keys)
        return _recorded(context, scheme, road.warehouse, report, found_by="late_data")

    return late_data


def _announced_data(scheme: Scheme) -> dg.AssetsDefinition:
    @dg.asset(
        key=ANNOUNCED_DATA,
        group_name=GROUP,
        kinds={"python", "duckdb"},
        deps=[HEM_SYSTEMS],
        description="What Enode's webhooks announce: new systems with their past, days that were updated, systems that "
        "were deleted, users who must link again. Adds keys for new systems, and records a materialisation of "
        "day_statistics and month_statistics for exactly the partitions whose content or state changed." + ROAD_RULES,
    )
    def announced_data(context: dg.AssetExecutionContext, roads: dg.ResourceParam[Roads]) -> dg.MaterializeResult[None]:
        with roads.open(context.log) as road:
            report = road.run_due()
        scheme.add_keys(fleet_numbers(road.warehouse).system_ids, context.instance)
        return _recorded(context, scheme, road.warehouse, report, found_by="announced_data")

    return announced_data


class Selection(dg.Config):
    """What `selected_data` asks for."""

    start: str = Field(description="first local day, 2026-03-01")
    end: str = Field(description="last local day, included")
    vendors: list[str] = Field(default=[], description='only systems of these vendors, in any case: ["TESLA"]')
    users: list[str] = Field(default=[], description="only systems of these users (your own ids)")
    systems: list[str] = Field(default=[], description="only these systems, by id or a unique beginning")


def _selected_data(scheme: Scheme) -> dg.AssetsDefinition:
    @dg.asset(
        key=SELECTED_DATA,
        group_name=GROUP,
        kinds={"python", "duckdb"},
        deps=[HEM_SYSTEMS],
        description="A range of days of a part of the fleet by vendor, user or system, as one run: Materialize… with "
        "start, end and vendors in the launchpad. Records a materialisation of day_statistics and month_statistics "
        "for the partitions that changed." + ROAD_RULES,
    )
    def selected_data(
        context: dg.AssetExecutionContext, config: Selection, roads: dg.ResourceParam[Roads]
    ) -> dg.MaterializeResult[None]:
        with roads.open(context.log) as road:
            report = road.run(
                Request(
                    _day(config.start),
                    _day(config.end),
                    systems=frozenset(config.systems),
                    vendors=frozenset(config.vendors),
                    users=frozenset(config.users),
                )
            )
        return _recorded(context, scheme, road.warehouse, report, found_by="selected_data")

    return selected_data


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day: write 2026-03-01") from None


def _recorded(
    context: dg.AssetExecutionContext, scheme: Scheme, warehouse: Warehouse, report: RunReport, *, found_by: str
) -> dg.MaterializeResult[None]:
    """A materialisation of each partition that the run changed, and the numbers of the run."""
    groups = _changed_groups(scheme, report)
    figures = read_published_figures(warehouse, report, [member for group in groups.values() for member in group])
    record_materializations(
        context,
        (
            dg.AssetMaterialization(
                MONTH_STATISTICS if group[0][1].kind is IntervalKind.MONTH else DAY_STATISTICS,
                partition=key,
                metadata=partition_metadata(group, report.entries, figures) | {"found_by": found_by},
            )
            for key, group in groups.items()
        ),
    )
    if report.published:
        record_checks(context.instance, report.checks, report.changed_checks, warehouse)
    return dg.MaterializeResult(metadata=run_metadata(report, figures))


def _changed_groups(scheme: Scheme, report: RunReport) -> dict[dg.MultiPartitionKey, list[Key]]:
    """What changed, by partition; without partitions in which something failed: those stay as they are."""
    red = {scheme.key(*failed) for failed in report.red}
    groups: dict[dg.MultiPartitionKey, list[Key]] = {}
    for system_id, interval in sorted(report.changed):
        key = scheme.key(system_id, interval)
        if key not in red and scheme.holds(interval):
            groups.setdefault(key, []).append((system_id, interval))
    return groups


def _fleet(scheme: Scheme, settings: Settings) -> list[str]:
    """Every system that was ever listed; only buckets need to know, and an empty warehouse knows none."""
    warehouse = open_warehouse(settings)
    return fleet_numbers(warehouse).system_ids if scheme.buckets and warehouse.is_published() else []


def partition_metadata_of(scheme: Scheme, instance: dg.DagsterInstance) -> Mapping[str, Any]:
    """How many partitions `day_statistics` has, and a warning before there are too many."""
    days = scheme.days.get_partitions_def_for_dimension("day").get_partition_keys()
    count = len(days) * len(scheme.system_keys(instance))
    counts: dict[str, Any] = {"partitions": count, "partitions_ceiling": MOST_PARTITIONS}
    if count > MANY_PARTITIONS:
        counts["partitions_warning"] = (
            f"{count:,} of {MOST_PARTITIONS:,}: pages of day_statistics grow slow. Set HEM_ETL_SYSTEM_BUCKETS=64, or "
            "move HEM_ETL_START_DATE; the warehouse itself does not care."
        )
    return counts
