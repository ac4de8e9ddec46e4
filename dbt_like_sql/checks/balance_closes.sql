-- name: checks.balance_closes
-- meaning: Sources and sinks of a day differ by at most 10 % of the larger side.
-- severity: plausibility
-- local to: system_id, day
-- failing row: a system and day whose balance fails

select system_id, day, vendor, balance_residual_kwh, balance_residual_ratio
from marts.daily_energy
where balance_residual_ratio > balance_fails_above()
