-- name: staging.day
-- meaning: Every day that was asked for or for which the vendor reports a value: whose it is, how long it is, what became of it.
-- grain: system × local day that has a row in core.load or a reported value
-- key: system_id, day
-- null: detail, state: never asked, only reported; timezone, day_hours, elapsed_hours, day_end_utc: the zone is known nowhere;
--   user_id: no list told a user.
-- materialized: table
-- rebuilt by: system_id, day
-- reaches: select system_id, day + 1 as day from changed
--   union all select system_id, day from staging.day where coalesce(elapsed_hours < day_hours, true)
--   union all select system_id, day from staging.day semi join changed using (system_id)
--   anti join (from core.system where timezone is not null) using (system_id)
-- looks at: select system_id, day - 1 as day from changed
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   month | date | local date | first day of its month
--   user_id | varchar | - | your own id of the user to whom the account belonged at the end of the day (core.system_history), else of the first one known
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone that the loaded day was read in, else the system's
--   day_end_utc | timestamp | UTC | first instant of the next local day
--   day_hours | double | h | length of the local day
--   overlap_hours | double | h | how long before the end of the loaded day before it this loaded day begins, because it was read in another zone; negative: hours that lie in none of the two; 0 where the days tile time
--   elapsed_hours | double | h | of these, hours that were over at the newest look of all; no clock is asked
--   outcome | varchar | - | what the last look at the day brought; not_asked where none was made and only the vendor's daily total is known
--   detail | varchar | - | one line that says more about the last look
--   fetched_at_utc | timestamp | UTC | time of the last look
--   is_loaded | boolean | - | whether the tables hold the day, from this look or an earlier one
--   is_expected | boolean | - | whether the home could have data: the day is loaded, or nothing says that there is none to have (before_installation, unsupported, gone)
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
),

placed as (
    select
        spine.system_id,
        spine.day,
        system.user_id,
        system.vendor,
        coalesce(asked.timezone, system.timezone) as timezone,
        local_day.start_utc as day_start_utc,
        local_day.end_utc as day_end_utc,
        local_day.hours as day_hours,
        -- a day of an unknown zone is over when it is over everywhere
        coalesce(local_day.end_utc, spine.day + interval 36 hours) as owned_at_utc,
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
),

owner as (
    select system_id, user_id, valid_from_utc
    from core.system_history
    where user_id is not null
),

first_owner as (
    select system_id, arg_min(user_id, valid_from_utc) as user_id
    from owner
    group by system_id
)

select
    placed.system_id,
    placed.day,
    cast(date_trunc('month', placed.day) as date) as month,
    coalesce(owner.user_id, first_owner.user_id, placed.user_id) as user_id,
    placed.vendor,
    placed.timezone,
    placed.day_end_utc,
    placed.day_hours,
    case
        when placed.is_loaded and lag(placed.is_loaded) over by_day and lag(placed.day) over by_day = placed.day - 1
            then coalesce(epoch(lag(placed.day_end_utc) over by_day - placed.day_start_utc) / 3600, 0)
        else 0
    end as overlap_hours,
    -- without any look there is no running day; greatest() and least() would leave out a NULL
    case
        when newest_look.at_utc is null or newest_look.at_utc >= placed.day_end_utc then placed.day_hours
        when newest_look.at_utc > placed.day_start_utc then epoch(newest_look.at_utc - placed.day_start_utc) / 3600
        when placed.day_hours is not null then 0
    end as elapsed_hours,
    coalesce(placed.outcome, 'not_asked') as outcome,
    placed.detail,
    placed.fetched_at_utc,
    placed.is_loaded,
    placed.is_loaded or placed.outcome is null or placed.outcome not in ('before_installation', 'unsupported', 'gone') as is_expected,
    placed.state
from placed
cross join staging.newest_look as newest_look
asof left join owner on owner.system_id = placed.system_id and owner.valid_from_utc < placed.owned_at_utc
left join first_owner on first_owner.system_id = placed.system_id
window by_day as (partition by placed.system_id order by placed.day)
