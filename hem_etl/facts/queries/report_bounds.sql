-- Start and end of the days in `shown` (system_id, day), each in the zone that it was read in.
select daily.system_id, daily.day, daily.timezone, bounds.start_utc, bounds.end_utc
from marts.daily_energy as daily
semi join shown on shown.system_id = daily.system_id and shown.day = daily.day
inner join core.local_day as bounds on bounds.timezone = daily.timezone and bounds.day = daily.day
order by daily.system_id, daily.day
