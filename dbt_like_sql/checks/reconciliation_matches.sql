-- name: checks.reconciliation_matches
-- meaning: Where a day is over, the integrated energy agrees with the vendor's, or the gaps explain the difference.
-- severity: plausibility
-- local to: system_id, day
-- failing row: a system, day and flow whose two energies disagree

select system_id, day, flow, integrated_kwh, reported_kwh, difference_kwh, coverage
from marts.reconciliation
where status = 'mismatch' and state <> 'open'
