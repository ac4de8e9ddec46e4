-- name: marts.system_health
-- meaning: How each system does: how far its complete days reach, how its last 30 days ended, how late its data settle,
--   whether its user must act.
-- grain: one row per system of core.system
-- key: system_id
-- null: newest_complete_day, lag_days: no day is complete; last_*: never asked; relink_reason: nothing to do; missing_scopes:
--   none; timezone: stated nowhere; settle_hours_*: settled_days is 0.
-- materialized: table
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   user_id | varchar | - | your own id of the user who linked the account
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone of the system's object, else of its newest loaded day, else of its newest loaded month
--   newest_complete_day | date | local date | newest day that is complete
--   lag_days | bigint | days | from there to the fleet's newest day that was over at the newest look of all; no clock is asked
--   loaded_days | bigint | days | days of the last 30 whose last look ended as loaded
--   unavailable_days | bigint | days | days of the last 30 whose last look ended as unavailable
--   unreadable_days | bigint | days | days of the last 30 whose last look ended as unreadable
--   before_installation_days | bigint | days | days of the last 30 whose last look ended as before_installation
--   relink_needed_days | bigint | days | days of the last 30 whose last look ended as relink_needed
--   forbidden_days | bigint | days | days of the last 30 whose last look ended as forbidden
--   refused_days | bigint | days | days of the last 30 whose last look ended as refused
--   gone_days | bigint | days | days of the last 30 whose last look ended as gone
--   unsupported_days | bigint | days | days of the last 30 whose last look ended as unsupported
--   unreachable_days | bigint | days | days of the last 30 whose last look ended as unreachable
--   not_asked_days | bigint | days | days of the last 30 that nobody asked for and for which only the vendor's daily total is known
--   settled_days | bigint | days | settled days of the last 90 that were loaded first within 48 hours of their local end: they tell how late data settle
--   settle_hours_median | double | h | over settled_days: from the local end of a day to its last change; 0 where that came before the end
--   settle_hours_p95 | double | h | the same: at least 95 of 100 days had not changed after this many hours
--   last_outcome | varchar | - | what the newest look at any day or month brought
--   last_detail | varchar | - | one line that says more about it
--   last_fetched_at_utc | timestamp | UTC | time of that look
--   needs_relink | boolean | - | the user must link the account again: credentials are invalid, or a scope is missing
--   relink_reason | varchar | - | why
--   missing_scopes | varchar | - | scopes missing on the newest loaded day, with commas between
--   is_reachable | boolean | - | whether Enode could reach the system at its last contact
--   gone_at_utc | timestamp | UTC | when the system was found gone; NULL while it is listed

with
complete as (
    select system_id, max(day) as day
    from marts.daily_energy
    where is_complete
    group by system_id
),

recent as (
    select
        system.system_id,
        count(*) filter (where spine.outcome = 'loaded') as loaded_days,
        count(*) filter (where spine.outcome = 'unavailable') as unavailable_days,
        count(*) filter (where spine.outcome = 'unreadable') as unreadable_days,
        count(*) filter (where spine.outcome = 'before_installation') as before_installation_days,
        count(*) filter (where spine.outcome = 'relink_needed') as relink_needed_days,
        count(*) filter (where spine.outcome = 'forbidden') as forbidden_days,
        count(*) filter (where spine.outcome = 'refused') as refused_days,
        count(*) filter (where spine.outcome = 'gone') as gone_days,
        count(*) filter (where spine.outcome = 'unsupported') as unsupported_days,
        count(*) filter (where spine.outcome = 'unreachable') as unreachable_days,
        count(*) filter (where spine.outcome = 'not_asked') as not_asked_days
    from core.system as system
    cross join staging.newest_look as newest_day
    left join staging.day as spine
        on spine.system_id = system.system_id and spine.day between newest_day.day - 29 and newest_day.day
    group by system.system_id
),

-- A correction by hand says nothing about the system.
-- Of a day that was loaded late (a backfill), nobody knows when its data had come: its hours would be ours, not the system's.
day_change as (
    select
        version.system_id,
        version.day,
        min(version.fetched_at_utc) as first_at_utc,
        max(version.fetched_at_utc) as last_at_utc
    from core.day_version as version
    cross join staging.newest_look as newest_day
    where version.cause is distinct from 'override' and version.day between newest_day.day - 89 and newest_day.day
    group by version.system_id, version.day
),

settled as (
    select
        load.system_id,
        greatest(epoch(change.last_at_utc - load.ends_at_utc) / 3600, 0) as settle_hours
    from core.load as load
    cross join staging.newest_look as newest_day
    inner join day_change as change on change.system_id = load.system_id and change.day = load.day
    where
        load.interval_kind = 'day'
        and load.state = 'settled'
        and load.day between newest_day.day - 89 and newest_day.day
        and change.first_at_utc <= load.ends_at_utc + interval 48 hours
),

settling as (
    select
        system_id,
        count(*) as settled_days,
        median(settle_hours) as settle_hours_median,
        quantile_disc(settle_hours, 0.95) as settle_hours_p95
    from settled
    group by system_id
),

last_at as (
    select system_id, max(fetched_at_utc) as fetched_at_utc
    from core.load
    where outcome is not null
    group by system_id
),

-- looks at the same instant (intervals that were not asked because the system is blocked): the newest interval speaks.
-- Both texts of one look: arg_max() alone passes over a look that has nothing more to say
last_look as (
    select
        load.system_id,
        arg_max({'outcome': load.outcome, 'detail': load.detail}, load.interval) as said,
        any_value(load.fetched_at_utc) as fetched_at_utc
    from core.load as load
    inner join last_at on last_at.system_id = load.system_id and last_at.fetched_at_utc = load.fetched_at_utc
    where load.outcome is not null
    group by load.system_id
),

newest_loaded as (
    select system_id, max(day) as day
    from staging.day
    where is_loaded
    group by system_id
),

scopes as (
    select series.system_id, string_agg(distinct series.missing_scope, ', ' order by series.missing_scope) as missing_scopes
    from core.series as series
    inner join newest_loaded on newest_loaded.system_id = series.system_id and newest_loaded.day = series.day
    where series.missing_scope is not null
    group by series.system_id
)

select
    system.system_id,
    system.user_id,
    system.vendor,
    known.timezone,
    complete.day as newest_complete_day,
    -- greatest() alone would turn a missing day into 0
    case when complete.day is not null then greatest(newest_day.day - complete.day, 0) end as lag_days,
    recent.loaded_days,
    recent.unavailable_days,
    recent.unreadable_days,
    recent.before_installation_days,
    recent.relink_needed_days,
    recent.forbidden_days,
    recent.refused_days,
    recent.gone_days,
    recent.unsupported_days,
    recent.unreachable_days,
    recent.not_asked_days,
    coalesce(settling.settled_days, 0) as settled_days,
    settling.settle_hours_median,
    settling.settle_hours_p95,
    last_look.said.outcome as last_outcome,
    last_look.said.detail as last_detail,
    last_look.fetched_at_utc as last_fetched_at_utc,
    system.gone_at_utc is null
    and (last_look.said.outcome is not distinct from 'relink_needed' or scopes.missing_scopes is not null) as needs_relink,
    case
        when system.gone_at_utc is not null then null
        when last_look.said.outcome = 'relink_needed' then concat('credentials are invalid', ': ' || last_look.said.detail)
        when scopes.missing_scopes is not null then 'scopes are missing: ' || scopes.missing_scopes
    end as relink_reason,
    scopes.missing_scopes,
    system.is_reachable,
    system.gone_at_utc
from core.system as system
cross join staging.newest_look as newest_day
inner join staging.system as known on known.system_id = system.system_id
inner join recent on recent.system_id = system.system_id
left join complete on complete.system_id = system.system_id
left join last_look on last_look.system_id = system.system_id
left join settling on settling.system_id = system.system_id
left join scopes on scopes.system_id = system.system_id
