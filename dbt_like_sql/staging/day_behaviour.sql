-- name: staging.day_behaviour
-- meaning: What marts.vendor_behaviour measures on each day: whether it was read whole and looked at again, its energy beside
--   what the vendor reports, which end of a bucket the stamps name.
-- grain: system × local day of marts.daily_energy
-- key: system_id, day
-- null: vendor: no list ever showed the system; <flow>_to_reported_ratio: not to be compared;
--   <flow>_reported_step_kwh: nothing reported; start_error_kwh, end_error_kwh: this day or the next one cannot tell.
-- materialized: table
-- rebuilt by: system_id, day
-- reaches: select system_id, day - 1 as day from changed
-- looks at: select system_id, day + 1 as day from changed
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   vendor | varchar | - | vendor as Enode spells it
--   is_read | boolean | - | the tables hold what was answered after the day was over
--   is_watched | boolean | - | it was answered again after a first answer to the whole day
--   has_night_generation | boolean | - | whether there is a finding of the rule night_generation
--   generation_to_reported_ratio | double | ratio | integrated ÷ reported energy, where generation covers the day whole, no bucket is corrected by hand, and at least 1 kWh is reported
--   consumption_to_reported_ratio | double | ratio | integrated ÷ reported energy, where consumption covers the day whole, no bucket is corrected by hand, and at least 1 kWh is reported
--   grid_import_to_reported_ratio | double | ratio | integrated ÷ reported energy, where grid_import covers the day whole, no bucket is corrected by hand, and at least 1 kWh is reported
--   grid_export_to_reported_ratio | double | ratio | integrated ÷ reported energy, where grid_export covers the day whole, no bucket is corrected by hand, and at least 1 kWh is reported
--   battery_charge_to_reported_ratio | double | ratio | integrated ÷ reported energy, where battery_charge covers the day whole, no bucket is corrected by hand, and at least 1 kWh is reported
--   battery_discharge_to_reported_ratio | double | ratio | integrated ÷ reported energy, where battery_discharge covers the day whole, no bucket is corrected by hand, and at least 1 kWh is reported
--   generation_reported_step_kwh | double | kWh | 1, 0.1, 0.01 or 0.001: the coarsest step that the reported generation is a multiple of
--   consumption_reported_step_kwh | double | kWh | 1, 0.1, 0.01 or 0.001: the coarsest step that the reported consumption is a multiple of
--   grid_import_reported_step_kwh | double | kWh | 1, 0.1, 0.01 or 0.001: the coarsest step that the reported grid_import is a multiple of
--   grid_export_reported_step_kwh | double | kWh | 1, 0.1, 0.01 or 0.001: the coarsest step that the reported grid_export is a multiple of
--   battery_charge_reported_step_kwh | double | kWh | 1, 0.1, 0.01 or 0.001: the coarsest step that the reported battery_charge is a multiple of
--   battery_discharge_reported_step_kwh | double | kWh | 1, 0.1, 0.01 or 0.001: the coarsest step that the reported battery_discharge is a multiple of
--   start_error_kwh | double | kWh | integrated − reported consumption, taking stamps as starts of buckets, where the end could be told too
--   end_error_kwh | double | kWh | the same, taking stamps as ends of buckets

-- formulas: coverage, reconciliation day–month
-- Stamps that name ends put the day's last bucket into the next day: the true day is then
-- Σ(day) − first bucket of the day + first bucket of the next day.
with
-- the first version of the whole day: a later answer could have brought another
first_version as (
    select load.system_id, load.day, min(version.fetched_at_utc) as fetched_at_utc
    from core.load as load
    inner join core.day_version as version on version.system_id = load.system_id and version.day = load.day
    where
        load.interval_kind = 'day'
        and version.fetched_at_utc >= load.ends_at_utc
        and version.cause is distinct from 'override'
    group by load.system_id, load.day
),

asked as (
    select
        load.system_id,
        load.day,
        coalesce(load.loaded_at_utc is not null and load.answered_at_utc >= load.ends_at_utc, false) as is_read,
        coalesce(load.answered_at_utc > first_version.fetched_at_utc, false) as is_watched
    from core.load as load
    left join first_version on first_version.system_id = load.system_id and first_version.day = load.day
    where load.interval_kind = 'day'
),

night as (
    select distinct system_id, day
    from core.finding
    where rule = 'night_generation'
),

-- below 1 kWh the ratio would tell the rounding of the reported value and not the vendor
flow_day as (
    select
        reconciled.system_id,
        reconciled.day,
        reconciled.flow,
        case
            when reconciled.coverage = 1 and reconciled.reported_kwh >= 1 and coalesce(series.edited_buckets, 0) = 0
                then reconciled.integrated_kwh / reconciled.reported_kwh
        end as ratio,
        case
            when abs(reconciled.reported_kwh - round(reconciled.reported_kwh)) < 1e-9 then 1
            when abs(reconciled.reported_kwh - round(reconciled.reported_kwh, 1)) < 1e-9 then 0.1
            when abs(reconciled.reported_kwh - round(reconciled.reported_kwh, 2)) < 1e-9 then 0.01
            when reconciled.reported_kwh is not null then 0.001
        end::double as step_kwh
    from marts.reconciliation as reconciled
    left join core.series as series
        on series.system_id = reconciled.system_id and series.day = reconciled.day and series.metric = reconciled.flow
),

reported as (
    select
        system_id,
        day,
        any_value(ratio) filter (where flow = 'generation') as generation_to_reported_ratio,
        any_value(step_kwh) filter (where flow = 'generation') as generation_reported_step_kwh,
        any_value(ratio) filter (where flow = 'consumption') as consumption_to_reported_ratio,
        any_value(step_kwh) filter (where flow = 'consumption') as consumption_reported_step_kwh,
        any_value(ratio) filter (where flow = 'grid_import') as grid_import_to_reported_ratio,
        any_value(step_kwh) filter (where flow = 'grid_import') as grid_import_reported_step_kwh,
        any_value(ratio) filter (where flow = 'grid_export') as grid_export_to_reported_ratio,
        any_value(step_kwh) filter (where flow = 'grid_export') as grid_export_reported_step_kwh,
        any_value(ratio) filter (where flow = 'battery_charge') as battery_charge_to_reported_ratio,
        any_value(step_kwh) filter (where flow = 'battery_charge') as battery_charge_reported_step_kwh,
        any_value(ratio) filter (where flow = 'battery_discharge') as battery_discharge_to_reported_ratio,
        any_value(step_kwh) filter (where flow = 'battery_discharge') as battery_discharge_reported_step_kwh
    from flow_day
    group by system_id, day
),

load_day as (
    select
        daily.system_id,
        daily.day,
        daily.consumption_kwh - daily.consumption_reported_kwh as start_error_kwh,
        daily.consumption_coverage = 1 and coalesce(series.edited_buckets, 0) = 0 as is_whole,
        coalesce(series.edited_buckets, 0) > 0 as is_edited,
        energy.consumption_first_bucket_kwh as first_bucket_kwh,
        series.resolution_minutes
    from marts.daily_energy as daily
    inner join core.day_energy as energy on energy.system_id = daily.system_id and energy.day = daily.day
    inner join core.series as series on series.system_id = daily.system_id and series.day = daily.day
    where series.metric = 'consumption' and series.is_available
),

-- where the grid changes between the two days, the bucket across midnight has no length of its own
labelled as (
    select
        load_day.system_id,
        load_day.day,
        load_day.start_error_kwh,
        load_day.start_error_kwh - load_day.first_bucket_kwh + following.first_bucket_kwh as end_error_kwh
    from load_day
    inner join load_day as following on following.system_id = load_day.system_id and following.day = load_day.day + 1
    where load_day.is_whole and not following.is_edited and following.resolution_minutes = load_day.resolution_minutes
)

select
    daily.system_id,
    daily.day,
    daily.vendor,
    coalesce(asked.is_read, false) as is_read,
    coalesce(asked.is_watched, false) as is_watched,
    night.day is not null as has_night_generation,
    reported.generation_to_reported_ratio, reported.consumption_to_reported_ratio, reported.grid_import_to_reported_ratio,
    reported.grid_export_to_reported_ratio, reported.battery_charge_to_reported_ratio, reported.battery_discharge_to_reported_ratio,
    reported.generation_reported_step_kwh, reported.consumption_reported_step_kwh, reported.grid_import_reported_step_kwh,
    reported.grid_export_reported_step_kwh, reported.battery_charge_reported_step_kwh, reported.battery_discharge_reported_step_kwh,
    labelled.start_error_kwh,
    labelled.end_error_kwh
from marts.daily_energy as daily
left join asked on asked.system_id = daily.system_id and asked.day = daily.day
left join night on night.system_id = daily.system_id and night.day = daily.day
left join reported on reported.system_id = daily.system_id and reported.day = daily.day
left join labelled on labelled.system_id = daily.system_id and labelled.day = daily.day
