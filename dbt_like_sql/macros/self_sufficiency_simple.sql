-- name: macros.self_sufficiency_simple
-- meaning: 1 − grid_import ÷ consumption, of quarter hours that both cover whole; negative where the battery charges from the grid.
-- null: one of them is NULL, or the denominator is at most least_kwh().
-- parameters:
--   consumption_kwh | double | kWh | energy used by the home
--   grid_import_kwh | double | kWh | energy drawn from the grid over the same quarter hours
-- returns: double | ratio

1 - ratio(grid_import_kwh, consumption_kwh)
