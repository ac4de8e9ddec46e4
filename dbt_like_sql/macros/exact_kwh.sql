-- name: macros.exact_kwh
-- meaning: The energy that a sum of exact_units() is.
-- null: the sum is NULL.
-- parameters:
--   units | hugeint | 10⁻¹⁸ kWh | the sum
-- returns: double | kWh

units / 1e18
