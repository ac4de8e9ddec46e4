-- name: macros.sum_exactly
-- meaning: The sum of the energies of rows, in whatever order they stand.
-- null: nothing to add up.
-- parameters:
--   kwh | double | kWh | the energy of a row
-- returns: double | kWh

exact_kwh(sum(exact_units(kwh)))
