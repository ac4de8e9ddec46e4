-- What days there are: the first asked one, the newest that was over at the newest look of all, and that look.
with
newest_look as (select max(fetched_at_utc) as at_utc from core.load)

select
    min(load.day) as first_day,
    max(load.day) filter (where load.ends_at_utc <= newest_look.at_utc) as newest_day,
    any_value(newest_look.at_utc) as newest_look_utc
from core.load as load
cross join newest_look
where load.interval_kind = 'day'
