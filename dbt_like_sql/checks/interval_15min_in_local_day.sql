-- name: checks.interval_15min_in_local_day
-- meaning: Every row of the common grid belongs to a day that the ledger calls loaded, and is a quarter hour of UTC
--   that overlaps it.
-- severity: structural
-- local to: system_id, day
-- failing row: a system and day with its first and last start, outside the day's bounds, or of a day that is not
--   loaded, or off the quarter hours

with
days as (
    select
        system_id,
        day,
        min(start_utc) as first_start_utc,
        max(start_utc) as last_start_utc,
        count(*) filter (where start_utc <> time_bucket(interval 15 minute, start_utc)) as off_grid_rows
    from core.interval_15min
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
    or days.first_start_utc <= local_day.start_utc - interval 15 minute
    or days.last_start_utc >= local_day.end_utc
    or days.off_grid_rows > 0
