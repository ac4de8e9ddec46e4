-- name: checks.systems_keep_up
-- meaning: Every system that is not gone had a complete day within the last three days of the fleet.
-- severity: plausibility
-- failing row: a system that had none

select system_id, vendor, newest_complete_day, lag_days, last_outcome, last_detail
from marts.system_health
where gone_at_utc is null and (newest_complete_day is null or lag_days > 3)
