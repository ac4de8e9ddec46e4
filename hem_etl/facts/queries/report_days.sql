-- marts.daily_energy of the systems in `wanted` on the days of the range.
select daily.*
from marts.daily_energy as daily
semi join wanted on wanted.system_id = daily.system_id
where daily.day between $start and $end
order by daily.system_id, daily.day
