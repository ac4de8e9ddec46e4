-- Corrections in force of the systems in `wanted` that touch a day of the range.
select system_id, metric, value, author, reason, "start", "end", start_utc, end_utc, first_day, last_day, try_cast("start" as date) as start_day, try_cast("end" as date) as end_day
from core.override
where system_id in (select system_id from wanted) and valid_to_utc is null and first_day <= $end and last_day >= $start
order by system_id, start_utc nulls first, override_id
