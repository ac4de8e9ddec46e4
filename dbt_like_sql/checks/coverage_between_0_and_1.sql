-- name: checks.coverage_between_0_and_1
-- meaning: Every coverage lies between 0 and 1.
-- severity: structural
-- local to: system_id, day
-- failing row: a system, day and metric whose coverage does not

select system_id, day, metric, coverage, valid_hours
from marts.coverage_daily
where not (coverage between 0 and 1 + 1e-9)
