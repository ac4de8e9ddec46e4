-- name: checks.calendar_covers_every_day
-- meaning: core.local_day holds every date of every month that a day with a known zone lies in.
-- severity: structural
-- failing row: a system and month whose length is not known although its zone is

select touched.system_id, touched.month, system.timezone
from staging.month as touched
inner join staging.system as system on system.system_id = touched.system_id
where system.timezone is not null and touched.month_hours is null
