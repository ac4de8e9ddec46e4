-- name: checks.reading_local_time
-- meaning: A reading's wall-clock time is its instant plus its offset.
-- severity: structural
-- local to: system_id, day
-- failing row: a reading for which it is not

select system_id, day, start_utc, start_local, utc_offset_minutes
from core.reading
where start_local is distinct from start_utc + to_minutes(utc_offset_minutes)
