-- The newest day, up to $yesterday, that at least half of the fleet was asked for: one that somebody asked one system
-- for is none.
with
here as (select system_id from core.system where gone_at_utc is null),

asked as (
    select load.day, count(*) as systems
    from core.load as load
    semi join here on here.system_id = load.system_id
    where load.interval_kind = 'day' and load.day <= $yesterday
    group by load.day
)

select max(day) as day
from asked
where 2 * systems >= (select count(*) from here)
