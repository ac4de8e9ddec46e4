-- Start and end of the days of one home in the range, in the zone that each was read in.
select daily.day, daily.timezone, bounds.start_utc, bounds.end_utc
from marts.daily_energy as daily
inner join core.local_day as bounds on bounds.timezone = daily.timezone and bounds.day = daily.day
where daily.system_id = $system_id and daily.day between $start and $end
order by daily.day
