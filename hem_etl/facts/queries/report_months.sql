-- marts.monthly_energy of the systems in `wanted`, of every month that the range touches.
select monthly.*
from marts.monthly_energy as monthly
semi join wanted on wanted.system_id = monthly.system_id
where monthly.month between date_trunc('month', $start::date) and $end
order by monthly.system_id, monthly.month
