-- name: staging.month
-- meaning: Every month that any day of a system touches: its length, and per flow what was valid and what was due.
-- grain: system × month
-- key: system_id, month
-- null: month_hours: the zone is known nowhere, or the calendar lacks a day; <flow>_valid_minutes, <flow>_due_hours: no day
--   of the month has or ought to have the flow, or month_hours is NULL.
-- materialized: table
-- rebuilt by: system_id, month
-- reaches: select system_id, month from staging.month where coalesce(elapsed_hours < month_hours, true)
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   month | date | local date | first day of the month
--   calendar_days | bigint | days | days of the whole calendar month, also of a running one
--   loaded_days | bigint | days | days that the tables hold
--   expected_days | bigint | days | days with a row on which the home could have data (staging.day)
--   overlapping_days | bigint | days | loaded days that begin before the day before them ended: in no sum of the month, so that no hour counts twice
--   not_asked_days | bigint | days | days that nobody asked for and for which only the vendor's daily total is known
--   user_id | varchar | - | your own id of the user to whom the account belonged on the last of these days
--   users | bigint | users | different users to whom it belonged over these days
--   month_hours | double | h | length of the whole local calendar month, each day in its own zone
--   elapsed_hours | double | h | of these, hours that were over at the newest look of all and on which the home could have data
--   generation_is_available | boolean | - | whether any loaded day has a series of generation
--   consumption_is_available | boolean | - | whether any loaded day has a series of consumption
--   grid_import_is_available | boolean | - | whether any loaded day has a series of grid_import
--   grid_export_is_available | boolean | - | whether any loaded day has a series of grid_export
--   battery_charge_is_available | boolean | - | whether any loaded day has a series of battery_charge
--   battery_discharge_is_available | boolean | - | whether any loaded day has a series of battery_discharge
--   generation_valid_minutes | bigint | min | minutes with valid buckets of generation
--   consumption_valid_minutes | bigint | min | minutes with valid buckets of consumption
--   grid_import_valid_minutes | bigint | min | minutes with valid buckets of grid_import
--   grid_export_valid_minutes | bigint | min | minutes with valid buckets of grid_export
--   battery_charge_valid_minutes | bigint | min | minutes with valid buckets of battery_charge
--   battery_discharge_valid_minutes | bigint | min | minutes with valid buckets of battery_discharge
--   generation_due_hours | double | h | length of the month where it has or ought to have generation
--   consumption_due_hours | double | h | length of the month where it has or ought to have consumption
--   grid_import_due_hours | double | h | length of the month where it has or ought to have grid_import
--   grid_export_due_hours | double | h | length of the month where it has or ought to have grid_export
--   battery_charge_due_hours | double | h | length of the month where it has or ought to have battery_charge
--   battery_discharge_due_hours | double | h | length of the month where it has or ought to have battery_discharge

with
flows as (
    select
        spine.system_id,
        spine.month,
        count(*) filter (where spine.is_loaded) as loaded_days,
        count(*) filter (where spine.is_expected) as expected_days,
        count(*) filter (where spine.overlap_hours > 0) as overlapping_days,
        count(*) filter (where spine.outcome = 'not_asked') as not_asked_days,
        arg_max(spine.user_id, spine.day) as user_id,
        count(distinct spine.user_id) as users,
        bool_or(flow.generation_is_available) as generation_is_available,
        bool_or(flow.consumption_is_available) as consumption_is_available,
        bool_or(flow.grid_import_is_available) as grid_import_is_available,
        bool_or(flow.grid_export_is_available) as grid_export_is_available,
        bool_or(flow.battery_charge_is_available) as battery_charge_is_available,
        bool_or(flow.battery_discharge_is_available) as battery_discharge_is_available,
        sum(case when spine.overlap_hours > 0 and flow.generation_valid_minutes > 0 then 0 else flow.generation_valid_minutes end)::bigint as generation_valid_minutes,
        sum(case when spine.overlap_hours > 0 and flow.consumption_valid_minutes > 0 then 0 else flow.consumption_valid_minutes end)::bigint as consumption_valid_minutes,
        sum(case when spine.overlap_hours > 0 and flow.grid_import_valid_minutes > 0 then 0 else flow.grid_import_valid_minutes end)::bigint as grid_import_valid_minutes,
        sum(case when spine.overlap_hours > 0 and flow.grid_export_valid_minutes > 0 then 0 else flow.grid_export_valid_minutes end)::bigint as grid_export_valid_minutes,
        sum(case when spine.overlap_hours > 0 and flow.battery_charge_valid_minutes > 0 then 0 else flow.battery_charge_valid_minutes end)::bigint as battery_charge_valid_minutes,
        sum(case when spine.overlap_hours > 0 and flow.battery_discharge_valid_minutes > 0 then 0 else flow.battery_discharge_valid_minutes end)::bigint as battery_discharge_valid_minutes
    from staging.day as spine
    inner join staging.day_flow as flow on flow.system_id = spine.system_id and flow.day = spine.day
    group by spine.system_id, spine.month
),

calendar as (
    select system_id, month, month + cast(unnest(range(dayofmonth(last_day(month)))) as integer) as day
    from flows
),

calendar_hours as (
    select
        calendar.system_id,
        calendar.month,
        local_day.hours,
        -- a day without a row was not asked, and could have data
        case
            when not spine.is_expected then 0
            when newest_look.at_utc is null or newest_look.at_utc >= local_day.end_utc then local_day.hours
            when newest_look.at_utc > local_day.start_utc then epoch(newest_look.at_utc - local_day.start_utc) / 3600
            when local_day.hours is not null then 0
        end as elapsed_hours
    from calendar
    cross join staging.newest_look as newest_look
    inner join staging.system as system on system.system_id = calendar.system_id
    left join staging.day as spine on spine.system_id = calendar.system_id and spine.day = calendar.day
    left join core.local_day as local_day
        on local_day.timezone = coalesce(spine.timezone, system.timezone) and local_day.day = calendar.day
),

length as (
    select
        system_id,
        month,
        count(*) as calendar_days,
        case when count(*) = count(hours) then sum(hours) end as month_hours,
        -- in whole microseconds: the sum is the same in whatever order it is made
        case when count(*) = count(elapsed_hours) then sum(cast(round(elapsed_hours * 3.6e9) as bigint)) / 3.6e9 end as elapsed_hours
    from calendar_hours
    group by system_id, month
)

select
    flows.system_id,
    flows.month,
    length.calendar_days,
    flows.loaded_days,
    flows.expected_days,
    flows.overlapping_days,
    flows.not_asked_days,
    flows.user_id,
    flows.users,
    length.month_hours,
    length.elapsed_hours,
    flows.generation_is_available, flows.consumption_is_available, flows.grid_import_is_available,
    flows.grid_export_is_available, flows.battery_charge_is_available, flows.battery_discharge_is_available,
    case when length.month_hours is not null then flows.generation_valid_minutes end as generation_valid_minutes,
    case when length.month_hours is not null then flows.consumption_valid_minutes end as consumption_valid_minutes,
    case when length.month_hours is not null then flows.grid_import_valid_minutes end as grid_import_valid_minutes,
    case when length.month_hours is not null then flows.grid_export_valid_minutes end as grid_export_valid_minutes,
    case when length.month_hours is not null then flows.battery_charge_valid_minutes end as battery_charge_valid_minutes,
    case when length.month_hours is not null then flows.battery_discharge_valid_minutes end as battery_discharge_valid_minutes,
    case when flows.generation_valid_minutes is not null then length.month_hours end as generation_due_hours,
    case when flows.consumption_valid_minutes is not null then length.month_hours end as consumption_due_hours,
    case when flows.grid_import_valid_minutes is not null then length.month_hours end as grid_import_due_hours,
    case when flows.grid_export_valid_minutes is not null then length.month_hours end as grid_export_due_hours,
    case when flows.battery_charge_valid_minutes is not null then length.month_hours end as battery_charge_due_hours,
    case when flows.battery_discharge_valid_minutes is not null then length.month_hours end as battery_discharge_due_hours
from flows
inner join length on length.system_id = flows.system_id and length.month = flows.month
