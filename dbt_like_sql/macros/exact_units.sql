-- name: macros.exact_units
-- meaning: An energy in whole 10⁻¹⁸ kWh, which add up exactly: the sum of doubles depends on the order of the rows.
-- null: the energy is NULL, not finite or beyond 10²⁰ kWh.
-- parameters:
--   kwh | double | kWh | an energy
-- returns: hugeint | 10⁻¹⁸ kWh

try_cast(1e18 * kwh as hugeint)
