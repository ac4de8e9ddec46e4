-- What days there are: the first asked one, the last that was over at the newest look of all, the newest of those that at
-- least half of the fleet was asked for (a day that an event made somebody ask one home for is none), and that look.
with
newest_look as (select max(fetched_at_utc) as at_utc from core.load),

here as (select system_id from core.system where gone_at_utc is null),

asked as (
    select load.day, bool_or(load.ends_at_utc <= newest_look.at_utc) as is_over, count(here.system_id) as systems
    from core.load as load
    cross join newest_look
    left join here on here.system_id = load.system_id
    where load.interval_kind = 'day'
    group by load.day
)

select
    min(day) as first_day,
    max(day) filter (where is_over) as last_day,
    coalesce(max(day) filter (where is_over and 2 * systems >= (select count(*) from here)), last_day) as newest_day,
    (select at_utc from newest_look) as newest_look_utc
from asked
