-- name: checks.numbers_are_finite
-- meaning: No table holds NaN or infinity.
-- severity: structural
-- failing row: a table and day that does, with the system where the table is small

-- A sum is NaN or infinite as soon as one of its values is: one sum a day and column tells it fastest.
select 'core.reading' as relation, cast(null as varchar) as system_id, day
from core.reading
group by day
having
    not isfinite(coalesce(sum(soc_pct), 0))
    or not isfinite(coalesce(sum(generation_kw), 0))
    or not isfinite(coalesce(sum(consumption_kw), 0))
    or not isfinite(coalesce(sum(grid_import_kw), 0))
    or not isfinite(coalesce(sum(grid_export_kw), 0))
    or not isfinite(coalesce(sum(battery_charge_kw), 0))
    or not isfinite(coalesce(sum(battery_discharge_kw), 0))
union all
select 'core.interval_15min' as relation, cast(null as varchar) as system_id, day
from core.interval_15min
group by day
having
    not isfinite(coalesce(sum(soc_pct), 0))
    or not isfinite(coalesce(sum(balance_sources_kwh), 0))
    or not isfinite(coalesce(sum(balance_sinks_kwh), 0))
    or not isfinite(coalesce(sum(generation_kw), 0))
    or not isfinite(coalesce(sum(consumption_kw), 0))
    or not isfinite(coalesce(sum(grid_import_kw), 0))
    or not isfinite(coalesce(sum(grid_export_kw), 0))
    or not isfinite(coalesce(sum(battery_charge_kw), 0))
    or not isfinite(coalesce(sum(battery_discharge_kw), 0))
    or not isfinite(coalesce(sum(generation_kwh), 0))
    or not isfinite(coalesce(sum(consumption_kwh), 0))
    or not isfinite(coalesce(sum(grid_import_kwh), 0))
    or not isfinite(coalesce(sum(grid_export_kwh), 0))
    or not isfinite(coalesce(sum(battery_charge_kwh), 0))
    or not isfinite(coalesce(sum(battery_discharge_kwh), 0))
    or not isfinite(coalesce(sum(generation_minutes), 0))
    or not isfinite(coalesce(sum(consumption_minutes), 0))
    or not isfinite(coalesce(sum(grid_import_minutes), 0))
    or not isfinite(coalesce(sum(grid_export_minutes), 0))
    or not isfinite(coalesce(sum(battery_charge_minutes), 0))
    or not isfinite(coalesce(sum(battery_discharge_minutes), 0))
union all
select 'core.reported_day' as relation, system_id, day
from core.reported_day
where
    not isfinite(coalesce(generation_kwh, 0))
    or not isfinite(coalesce(consumption_kwh, 0))
    or not isfinite(coalesce(grid_import_kwh, 0))
    or not isfinite(coalesce(grid_export_kwh, 0))
    or not isfinite(coalesce(battery_charge_kwh, 0))
    or not isfinite(coalesce(battery_discharge_kwh, 0))
union all
select 'core.day_version' as relation, system_id, day
from core.day_version
where
    not isfinite(coalesce(generation_kwh, 0))
    or not isfinite(coalesce(consumption_kwh, 0))
    or not isfinite(coalesce(grid_import_kwh, 0))
    or not isfinite(coalesce(grid_export_kwh, 0))
    or not isfinite(coalesce(battery_charge_kwh, 0))
    or not isfinite(coalesce(battery_discharge_kwh, 0))
    or not isfinite(coalesce(generation_coverage, 0))
    or not isfinite(coalesce(consumption_coverage, 0))
    or not isfinite(coalesce(grid_import_coverage, 0))
    or not isfinite(coalesce(grid_export_coverage, 0))
    or not isfinite(coalesce(battery_charge_coverage, 0))
    or not isfinite(coalesce(battery_discharge_coverage, 0))
