-- name: checks.reading_in_local_day
-- meaning: Every native reading belongs to a day that the ledger calls loaded, and starts inside it.
-- severity: structural
-- local to: system_id, day
-- failing row: a system and day with its first and last start, outside the day's bounds, or of a day that is not
--   loaded

with
days as (
    select
        system_id,
        day,
        min(start_utc) as first_start_utc,
        max(start_utc) as last_start_utc
    from core.reading
    group by system_id, day
)

select days.system_id, days.day, days.first_start_utc, days.last_start_utc, local_day.start_utc, local_day.end_utc
from days
left join core.load as load
    on
        load.system_id = days.system_id
        and load.day = days.day
        and load.interval_kind = 'day'
        and load.loaded_at_utc is not null
left join core.local_day as local_day on local_day.timezone = load.timezone and local_day.day = days.day
where
    load.system_id is null
    or days.first_start_utc < local_day.start_utc
    or days.last_start_utc >= local_day.end_utc
