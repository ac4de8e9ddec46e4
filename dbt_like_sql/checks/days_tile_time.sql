-- name: checks.days_tile_time
-- meaning: Each loaded day of a system begins where the loaded day before it ended.
-- severity: plausibility
-- local to: system_id, day
-- failing row: a system and day that was read in another zone than the day before, with the hours in both days (or, negative, in none)

select system_id, day, timezone, overlap_hours
from staging.day
where overlap_hours <> 0
