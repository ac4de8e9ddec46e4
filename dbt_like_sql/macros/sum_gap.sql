-- name: macros.sum_gap
-- meaning: The sum of what the missing time of rows could have held, in whole 10⁻⁹ kWh, which add up exactly.
-- null: nothing to add up.
-- parameters:
--   gap_kwh | double | kWh | the most that the missing time of a row could have held
-- returns: double | kWh

sum(try_cast(1e9 * gap_kwh as hugeint)) / 1e9
