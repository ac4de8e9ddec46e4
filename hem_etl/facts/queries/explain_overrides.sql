-- Corrections in force on the day, in the order in which they are applied: the last one that covers a bucket counts.
select metric, value, author, reason, "start", "end", start_utc, end_utc, valid_from_utc
from core.override
where
    system_id = $system_id
    and valid_to_utc is null
    and $day between first_day and last_day
    and (start_utc is not null or $day between try_cast("start" as date) and try_cast("end" as date))
order by start_utc nulls first, override_id
