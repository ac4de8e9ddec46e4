-- name: staging.month_energy
-- meaning: Sums and peaks of each month that no other model has: attributed flows, pairs, and what the missing time could
--   have held.
-- grain: system × month of staging.month
-- key: system_id, month
-- null: no day has the number; <flow>_gap_kwh: the month has not and ought not to have all five flows (generation, both grid
--   and both battery flows), or its length is unknown.
-- materialized: table
-- rebuilt by: system_id, month
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   month | date | local date | first day of the month
--   used_solar_kwh | double | kWh | PV energy that the home used, over the attributed buckets
--   used_battery_kwh | double | kWh | energy from the battery that the home used, over the attributed buckets
--   used_grid_kwh | double | kWh | energy from the grid that the home used, over the attributed buckets
--   used_total_kwh | double | kWh | what the home used: used_solar + used_battery + used_grid, over the attributed buckets
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery, over the attributed buckets
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid, over the attributed buckets
--   grid_to_battery_kwh | double | kWh | energy from the grid put into the battery, over the attributed buckets
--   battery_to_grid_kwh | double | kWh | energy from the battery fed into the grid, over the attributed buckets
--   attributed_minutes | bigint | min | minutes of the attributed buckets
--   paired_generation_kwh | double | kWh | energy produced by the PV, over the quarter hours that generation and grid_export cover whole
--   paired_consumption_kwh | double | kWh | energy used by the home, over the quarter hours that consumption and grid_import cover whole
--   paired_grid_import_kwh | double | kWh | energy drawn from the grid, over the quarter hours that grid_import and consumption cover whole
--   paired_grid_export_kwh | double | kWh | energy fed into the grid, over the quarter hours that grid_export and generation cover whole
--   consumption_peak_kw | double | kW | highest 15-minute mean of consumption
--   grid_import_peak_kw | double | kW | highest 15-minute mean of grid_import
--   grid_import_peak_at_utc | timestamp | UTC | start of the first quarter hour with that peak
--   grid_import_peak_at_local | timestamp | local time | the same on the wall clock of the home
--   paired_battery_charge_kwh | double | kWh | battery_charge over the quarter hours that both battery flows cover whole
--   paired_battery_discharge_kwh | double | kWh | battery_discharge over the same quarter hours
--   battery_days | bigint | days | days with both battery flows
--   generation_gap_kwh | double | kWh | the most that the PV could have produced in the time that is not attributed: gap_generation_kw, or the highest power of a bucket of the month if higher
--   consumption_gap_kwh | double | kWh | the most that the home could have used in that time: gap_consumption_kw, or the highest power of a bucket of the month if higher

-- formulas: flow attribution, peak, bounds
with
figures as (
    select
        system_id,
        cast(date_trunc('month', day) as date) as month,
        sum_exactly(used_solar_kwh) as used_solar_kwh,
        sum_exactly(used_battery_kwh) as used_battery_kwh,
        sum_exactly(used_grid_kwh) as used_grid_kwh,
        sum_exactly(used_total_kwh) as used_total_kwh,
        sum_exactly(solar_to_battery_kwh) as solar_to_battery_kwh,
        sum_exactly(solar_to_grid_kwh) as solar_to_grid_kwh,
        sum_exactly(grid_to_battery_kwh) as grid_to_battery_kwh,
        sum_exactly(battery_to_grid_kwh) as battery_to_grid_kwh,
        sum_exactly(paired_generation_kwh) as paired_generation_kwh,
        sum_exactly(paired_consumption_kwh) as paired_consumption_kwh,
        sum_exactly(paired_grid_import_kwh) as paired_grid_import_kwh,
        sum_exactly(paired_grid_export_kwh) as paired_grid_export_kwh,
        sum_exactly(paired_battery_charge_kwh) as paired_battery_charge_kwh,
        sum_exactly(paired_battery_discharge_kwh) as paired_battery_discharge_kwh,
        sum(attributed_minutes)::bigint as attributed_minutes,
        max(generation_bucket_peak_kw) as generation_bucket_peak_kw,
        max(consumption_bucket_peak_kw) as consumption_bucket_peak_kw,
        max(consumption_peak_kw) as consumption_peak_kw,
        max(grid_import_peak_kw) as grid_import_peak_kw,
        -- of equal peaks the first; equal means of different numbers of buckets differ in their last bit
        arg_max(grid_import_peak_at_utc, (round(grid_import_peak_kw, 9), -epoch_us(grid_import_peak_at_utc))) as grid_import_peak_at_utc,
        arg_max(grid_import_peak_at_local, (round(grid_import_peak_kw, 9), -epoch_us(grid_import_peak_at_utc))) as grid_import_peak_at_local,
        count(*) filter (where paired_battery_charge_kwh is not null) as battery_days
    from core.day_energy as energy
    -- a day that overlaps the one before it: no hour counts twice
    where not exists (
        from staging.day as spine
        where spine.system_id = energy.system_id and spine.day = energy.day and spine.overlap_hours > 0
    )
    group by system_id, cast(date_trunc('month', day) as date)
),

setting as (
    select
        max(value) filter (where name = 'gap_generation_kw') as generation_kw,
        max(value) filter (where name = 'gap_consumption_kw') as consumption_kw
    from core.setting
),

missing as (
    select
        touched.system_id,
        touched.month,
        -- the five flows are due alike; what is still to come is not missing; nothing attributed: here 0 is meant
        case
            when
                touched.generation_due_hours
                + touched.grid_import_due_hours
                + touched.grid_export_due_hours
                + touched.battery_charge_due_hours
                + touched.battery_discharge_due_hours is not null
                then touched.elapsed_hours - coalesce(figures.attributed_minutes, 0) / 60
        end as hours
    from staging.month as touched
    left join figures on figures.system_id = touched.system_id and figures.month = touched.month
)

select
    missing.system_id,
    missing.month,
    figures.used_solar_kwh, figures.used_battery_kwh, figures.used_grid_kwh, figures.used_total_kwh,
    figures.solar_to_battery_kwh, figures.solar_to_grid_kwh, figures.grid_to_battery_kwh, figures.battery_to_grid_kwh,
    figures.attributed_minutes,
    figures.paired_generation_kwh, figures.paired_consumption_kwh, figures.paired_grid_import_kwh, figures.paired_grid_export_kwh,
    figures.consumption_peak_kw,
    figures.grid_import_peak_kw,
    figures.grid_import_peak_at_utc,
    figures.grid_import_peak_at_local,
    figures.paired_battery_charge_kwh, figures.paired_battery_discharge_kwh,
    figures.battery_days,
    -- greatest() leaves out NULLs: a month without a highest power of its own
    missing.hours * greatest(setting.generation_kw, figures.generation_bucket_peak_kw) as generation_gap_kwh,
    missing.hours * greatest(setting.consumption_kw, figures.consumption_bucket_peak_kw) as consumption_gap_kwh
from missing
cross join setting
left join figures on figures.system_id = missing.system_id and figures.month = missing.month
