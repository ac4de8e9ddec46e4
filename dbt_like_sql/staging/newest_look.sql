-- name: staging.newest_look
-- meaning: How far the whole fleet was looked at: what is later than this has not happened yet, as far as we know.
-- grain: one row
-- key: none
-- null: at_utc: no look yet; day: no look at a day that was over.
-- columns:
--   at_utc | timestamp | UTC | when the newest look was complete
--   day | date | local date | newest day, of any system, that was asked for and was over by then

with
newest as (
    select max(fetched_at_utc) as at_utc
    from core.load
)

select newest.at_utc, max(load.day) as day
from newest
left join core.load as load on load.interval_kind = 'day' and load.ends_at_utc <= newest.at_utc
group by newest.at_utc
