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
union all
select 'core.day_energy' as relation, system_id, day
from core.day_energy
where
    not isfinite(coalesce(generation_kwh, 0))
    or not isfinite(coalesce(consumption_kwh, 0))
    or not isfinite(coalesce(grid_import_kwh, 0))
    or not isfinite(coalesce(grid_export_kwh, 0))
    or not isfinite(coalesce(battery_charge_kwh, 0))
    or not isfinite(coalesce(battery_discharge_kwh, 0))
    or not isfinite(coalesce(balance_sources_kwh, 0))
    or not isfinite(coalesce(balance_sinks_kwh, 0))
    or not isfinite(coalesce(used_solar_kwh, 0))
    or not isfinite(coalesce(used_battery_kwh, 0))
    or not isfinite(coalesce(used_grid_kwh, 0))
    or not isfinite(coalesce(used_total_kwh, 0))
    or not isfinite(coalesce(solar_to_battery_kwh, 0))
    or not isfinite(coalesce(solar_to_grid_kwh, 0))
    or not isfinite(coalesce(grid_to_battery_kwh, 0))
    or not isfinite(coalesce(battery_to_grid_kwh, 0))
    or not isfinite(coalesce(attributed_minutes, 0))
    or not isfinite(coalesce(paired_generation_kwh, 0))
    or not isfinite(coalesce(paired_consumption_kwh, 0))
    or not isfinite(coalesce(paired_grid_import_kwh, 0))
    or not isfinite(coalesce(paired_grid_export_kwh, 0))
    or not isfinite(coalesce(paired_battery_charge_kwh, 0))
    or not isfinite(coalesce(paired_battery_discharge_kwh, 0))
    or not isfinite(coalesce(generation_peak_kw, 0))
    or not isfinite(coalesce(consumption_peak_kw, 0))
    or not isfinite(coalesce(grid_import_peak_kw, 0))
    or not isfinite(coalesce(grid_export_peak_kw, 0))
    or not isfinite(coalesce(battery_charge_peak_kw, 0))
    or not isfinite(coalesce(battery_discharge_peak_kw, 0))
    or not isfinite(coalesce(soc_first_pct, 0))
    or not isfinite(coalesce(soc_last_pct, 0))
    or not isfinite(coalesce(soc_min_pct, 0))
    or not isfinite(coalesce(soc_max_pct, 0))
    or not isfinite(coalesce(consumption_first_bucket_kwh, 0))
    or not isfinite(coalesce(generation_bucket_peak_kw, 0))
    or not isfinite(coalesce(consumption_bucket_peak_kw, 0))
