-- name: staging.day
-- meaning: Every day that was asked for or for which the vendor reports a value: whose it is, how long it is, what became of it.
-- grain: system × local day that has a row in core.load or a reported value
-- key: system_id, day
-- null: outcome, detail, state: never asked, only reported; timezone, day_hours, day_end_utc: the zone is known nowhere.
-- materialized: table
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   month | date | local date | first day of its month
--   user_id | varchar | - | your own id of the user who linked the account
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone that the loaded day was read in, else the system's
--   day_end_utc | timestamp | UTC | first instant of the next local day
--   day_hours | double | h | length of the local day
--   outcome | varchar | - | what the last look at the day brought
--   detail | varchar | - | one line that says more about the last look
--   fetched_at_utc | timestamp | UTC | time of the last look
--   is_loaded | boolean | - | whether the tables hold the day, from this look or an earlier one
--   state | varchar | - | open until the local end, then provisional, then settled

with
asked as (
    select system_id, day, timezone, outcome, detail, fetched_at_utc, loaded_at_utc, state
    from core.load
    where interval_kind = 'day'
),

reported as (
    select system_id, day
    from core.reported_day
    where
        coalesce(
            generation_kwh, consumption_kwh, grid_import_kwh, grid_export_kwh, battery_charge_kwh, battery_discharge_kwh
        ) is not null
),

spine as (
    select system_id, day from asked
    union
    select system_id, day from reported
)

select
    spine.system_id,
    spine.day,
    cast(date_trunc('month', spine.day) as date) as month,
    system.user_id,
    system.vendor,
    coalesce(asked.timezone, system.timezone) as timezone,
    local_day.end_utc as day_end_utc,
    local_day.hours as day_hours,
    asked.outcome,
    asked.detail,
    asked.fetched_at_utc,
    asked.loaded_at_utc is not null as is_loaded,
    asked.state
from spine
left join asked on asked.system_id = spine.system_id and asked.day = spine.day
left join staging.system as system on system.system_id = spine.system_id
left join core.local_day as local_day
    on local_day.timezone = coalesce(asked.timezone, system.timezone) and local_day.day = spine.day
