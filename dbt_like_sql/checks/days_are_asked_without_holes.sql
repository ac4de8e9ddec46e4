-- name: checks.days_are_asked_without_holes
-- meaning: Between a listed system's first and newest asked day there is none that nobody asked for.
-- severity: plausibility
-- failing row: a system with how many days in between were never asked, the first and the last of them

with
holed as (
    select system_id
    from core.load
    where interval_kind = 'day'
    group by system_id
    having count(*) <= max(day) - min(day)
),

asked as (
    select load.system_id, load.day, lead(load.day) over (partition by load.system_id order by load.day) as next_day
    from core.load as load
    inner join holed on holed.system_id = load.system_id
    inner join core.system as system on system.system_id = load.system_id
    where load.interval_kind = 'day' and system.gone_at_utc is null
)

select
    system_id,
    cast(sum(next_day - day - 1) as bigint) as days_never_asked,
    min(day) + 1 as first_of_them,
    max(next_day) - 1 as last_of_them
from asked
where next_day > day + 1
group by system_id
