-- name: checks.settled_days_unchanged
-- meaning: The energy of a settled day does not change any more, but by the operator's own corrections.
-- severity: plausibility
-- local to: system_id, day
-- failing row: a settled day that changed, with the flows concerned

select system_id, day, version, vendor, fetched_at_utc, hours_after_day_end, changed_flows
from marts.restatement
where was_settled and changed_flows is not null and cause = 'answer'
