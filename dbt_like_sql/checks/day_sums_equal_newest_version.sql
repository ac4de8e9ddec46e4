-- name: checks.day_sums_equal_newest_version
-- meaning: What the newest version of a day says about its energy and coverage is what the tables hold.
-- severity: structural
-- local to: system_id, day
-- failing row: a system, day and flow with both numbers

with
newest_version as (
    select system_id, day, max(version) as version
    from core.day_version
    group by system_id, day
),

newest as (
    select
        versions.system_id,
        versions.day,
        versions.generation_kwh, versions.consumption_kwh, versions.grid_import_kwh,
        versions.grid_export_kwh, versions.battery_charge_kwh, versions.battery_discharge_kwh,
        versions.generation_coverage, versions.consumption_coverage, versions.grid_import_coverage,
        versions.grid_export_coverage, versions.battery_charge_coverage, versions.battery_discharge_coverage
    from core.day_version as versions
    inner join newest_version
        on
            newest_version.system_id = versions.system_id
            and newest_version.day = versions.day
            and newest_version.version = versions.version
),

flow_day as (
    select
        newest.system_id,
        newest.day,
        daily.day_hours,
        unnest([
            {
                'flow': 'generation',
                'version_kwh': newest.generation_kwh,
                'table_kwh': daily.generation_kwh,
                'version_coverage': newest.generation_coverage,
                'table_coverage': daily.generation_coverage
            },
            {
                'flow': 'consumption',
                'version_kwh': newest.consumption_kwh,
                'table_kwh': daily.consumption_kwh,
                'version_coverage': newest.consumption_coverage,
                'table_coverage': daily.consumption_coverage
            },
            {
                'flow': 'grid_import',
                'version_kwh': newest.grid_import_kwh,
                'table_kwh': daily.grid_import_kwh,
                'version_coverage': newest.grid_import_coverage,
                'table_coverage': daily.grid_import_coverage
            },
            {
                'flow': 'grid_export',
                'version_kwh': newest.grid_export_kwh,
                'table_kwh': daily.grid_export_kwh,
                'version_coverage': newest.grid_export_coverage,
                'table_coverage': daily.grid_export_coverage
            },
            {
                'flow': 'battery_charge',
                'version_kwh': newest.battery_charge_kwh,
                'table_kwh': daily.battery_charge_kwh,
                'version_coverage': newest.battery_charge_coverage,
                'table_coverage': daily.battery_charge_coverage
            },
            {
                'flow': 'battery_discharge',
                'version_kwh': newest.battery_discharge_kwh,
                'table_kwh': daily.battery_discharge_kwh,
                'version_coverage': newest.battery_discharge_coverage,
                'table_coverage': daily.battery_discharge_coverage
            }
        ]) as flow
    from newest
    left join marts.daily_energy as daily on daily.system_id = newest.system_id and daily.day = newest.day
)

select
    system_id,
    day,
    flow.flow as flow,
    flow.version_kwh as version_kwh,
    flow.table_kwh as table_kwh,
    flow.version_coverage as version_coverage,
    flow.table_coverage as table_coverage
from flow_day
where
    (flow.version_kwh is null) <> (flow.table_kwh is null)
    or abs(flow.version_kwh - flow.table_kwh) > 1e-6
    -- without a zone no share of the day can be told
    or (day_hours is not null and (flow.version_coverage is null) <> (flow.table_coverage is null))
    or abs(flow.version_coverage - flow.table_coverage) > 1e-6
