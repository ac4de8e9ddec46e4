-- name: macros.mean_exactly
-- meaning: The mean of the energies of rows that have one, in whatever order they stand.
-- null: no row has one.
-- parameters:
--   kwh | double | kWh | the energy of a row
-- returns: double | kWh

sum_exactly(kwh) / count(kwh)
