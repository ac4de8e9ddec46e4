-- name: staging.day_flow
-- meaning: Which flows each day has or ought to have, and how many minutes of them are valid: the basis of every coverage.
-- grain: system × local day of staging.day
-- key: system_id, day
-- null: <flow>_is_available: the day is not loaded; <flow>_valid_minutes, <flow>_due_hours: the day has no such flow and
--   ought to have none, or no day of the system was ever loaded, or the length of the day is unknown.
-- materialized: table
-- rebuilt by: system_id, day
-- reaches: select system_id, day from staging.day semi join changed using (system_id) where is_expected and not is_loaded
-- looks at: select system_id, day from staging.day
--   semi join (from staging.day semi join changed using (system_id, day) where is_expected and not is_loaded) using (system_id)
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   generation_is_available | boolean | - | whether the day has a series of generation
--   consumption_is_available | boolean | - | whether the day has a series of consumption
--   grid_import_is_available | boolean | - | whether the day has a series of grid_import
--   grid_export_is_available | boolean | - | whether the day has a series of grid_export
--   battery_charge_is_available | boolean | - | whether the day has a series of battery_charge
--   battery_discharge_is_available | boolean | - | whether the day has a series of battery_discharge
--   generation_valid_minutes | integer | min | minutes with valid buckets of generation; 0 on a day that ought to have it and is not loaded
--   consumption_valid_minutes | integer | min | minutes with valid buckets of consumption; 0 on a day that ought to have it and is not loaded
--   grid_import_valid_minutes | integer | min | minutes with valid buckets of grid_import; 0 on a day that ought to have it and is not loaded
--   grid_export_valid_minutes | integer | min | minutes with valid buckets of grid_export; 0 on a day that ought to have it and is not loaded
--   battery_charge_valid_minutes | integer | min | minutes with valid buckets of battery_charge; 0 on a day that ought to have it and is not loaded
--   battery_discharge_valid_minutes | integer | min | minutes with valid buckets of battery_discharge; 0 on a day that ought to have it and is not loaded
--   generation_due_hours | double | h | length of the day where it has or ought to have generation
--   consumption_due_hours | double | h | length of the day where it has or ought to have consumption
--   grid_import_due_hours | double | h | length of the day where it has or ought to have grid_import
--   grid_export_due_hours | double | h | length of the day where it has or ought to have grid_export
--   battery_charge_due_hours | double | h | length of the day where it has or ought to have battery_charge
--   battery_discharge_due_hours | double | h | length of the day where it has or ought to have battery_discharge

-- A day that is not loaded ought to have the flows of the system's newest loaded day before it, else of the first after
-- it; none where the outcome says that there is nothing to have. A loaded day that says nothing about a flow lacks it.
with
series as (
    select
        system_id,
        day,
        bool_or(is_available) filter (where metric = 'generation') as generation_is_available,
        bool_or(is_available) filter (where metric = 'consumption') as consumption_is_available,
        bool_or(is_available) filter (where metric = 'grid_import') as grid_import_is_available,
        bool_or(is_available) filter (where metric = 'grid_export') as grid_export_is_available,
        bool_or(is_available) filter (where metric = 'battery_charge') as battery_charge_is_available,
        bool_or(is_available) filter (where metric = 'battery_discharge') as battery_discharge_is_available,
        any_value(valid_minutes) filter (where metric = 'generation') as generation_minutes,
        any_value(valid_minutes) filter (where metric = 'consumption') as consumption_minutes,
        any_value(valid_minutes) filter (where metric = 'grid_import') as grid_import_minutes,
        any_value(valid_minutes) filter (where metric = 'grid_export') as grid_export_minutes,
        any_value(valid_minutes) filter (where metric = 'battery_charge') as battery_charge_minutes,
        any_value(valid_minutes) filter (where metric = 'battery_discharge') as battery_discharge_minutes
    from core.series
    group by system_id, day
),

loaded as (
    select
        spine.system_id,
        spine.day,
        spine.day_hours,
        spine.is_expected,
        coalesce(series.generation_is_available, case when spine.is_loaded then false end) as generation_is_available,
        coalesce(series.consumption_is_available, case when spine.is_loaded then false end) as consumption_is_available,
        coalesce(series.grid_import_is_available, case when spine.is_loaded then false end) as grid_import_is_available,
        coalesce(series.grid_export_is_available, case when spine.is_loaded then false end) as grid_export_is_available,
        coalesce(series.battery_charge_is_available, case when spine.is_loaded then false end) as battery_charge_is_available,
        coalesce(series.battery_discharge_is_available, case when spine.is_loaded then false end) as battery_discharge_is_available,
        series.generation_minutes, series.consumption_minutes, series.grid_import_minutes,
        series.grid_export_minutes, series.battery_charge_minutes, series.battery_discharge_minutes
    from staging.day as spine
    left join series on series.system_id = spine.system_id and series.day = spine.day
),

due as (
    select
        system_id,
        day,
        day_hours,
        generation_is_available, consumption_is_available, grid_import_is_available,
        grid_export_is_available, battery_charge_is_available, battery_discharge_is_available,
        generation_minutes, consumption_minutes, grid_import_minutes, grid_export_minutes, battery_charge_minutes, battery_discharge_minutes,
        day_hours is not null and is_expected and coalesce(
            generation_is_available,
            last_value(generation_is_available ignore nulls) over earlier,
            first_value(generation_is_available ignore nulls) over later
        ) as has_generation,
        day_hours is not null and is_expected and coalesce(
            consumption_is_available,
            last_value(consumption_is_available ignore nulls) over earlier,
            first_value(consumption_is_available ignore nulls) over later
        ) as has_consumption,
        day_hours is not null and is_expected and coalesce(
            grid_import_is_available,
            last_value(grid_import_is_available ignore nulls) over earlier,
            first_value(grid_import_is_available ignore nulls) over later
        ) as has_grid_import,
        day_hours is not null and is_expected and coalesce(
            grid_export_is_available,
            last_value(grid_export_is_available ignore nulls) over earlier,
            first_value(grid_export_is_available ignore nulls) over later
        ) as has_grid_export,
        day_hours is not null and is_expected and coalesce(
            battery_charge_is_available,
            last_value(battery_charge_is_available ignore nulls) over earlier,
            first_value(battery_charge_is_available ignore nulls) over later
        ) as has_battery_charge,
        day_hours is not null and is_expected and coalesce(
            battery_discharge_is_available,
            last_value(battery_discharge_is_available ignore nulls) over earlier,
            first_value(battery_discharge_is_available ignore nulls) over later
        ) as has_battery_discharge
    from loaded
    window
        earlier as (partition by system_id order by day rows between unbounded preceding and current row),
        later as (partition by system_id order by day rows between current row and unbounded following)
)

select
    system_id,
    day,
    generation_is_available, consumption_is_available, grid_import_is_available,
    grid_export_is_available, battery_charge_is_available, battery_discharge_is_available,
    -- a day that could not be loaded covers nothing of what it ought to have: here 0 is meant
    case when has_generation then coalesce(generation_minutes, 0) end as generation_valid_minutes,
    case when has_consumption then coalesce(consumption_minutes, 0) end as consumption_valid_minutes,
    case when has_grid_import then coalesce(grid_import_minutes, 0) end as grid_import_valid_minutes,
    case when has_grid_export then coalesce(grid_export_minutes, 0) end as grid_export_valid_minutes,
    case when has_battery_charge then coalesce(battery_charge_minutes, 0) end as battery_charge_valid_minutes,
    case when has_battery_discharge then coalesce(battery_discharge_minutes, 0) end as battery_discharge_valid_minutes,
    case when has_generation then day_hours end as generation_due_hours,
    case when has_consumption then day_hours end as consumption_due_hours,
    case when has_grid_import then day_hours end as grid_import_due_hours,
    case when has_grid_export then day_hours end as grid_export_due_hours,
    case when has_battery_charge then day_hours end as battery_charge_due_hours,
    case when has_battery_discharge then day_hours end as battery_discharge_due_hours
from due
