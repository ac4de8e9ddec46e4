-- name: macros.self_consumption_simple
-- meaning: (generation − grid_export) ÷ generation, of quarter hours that both cover whole; wrong where the battery exports.
-- null: one of them is NULL, or the denominator is at most least_kwh().
-- parameters:
--   generation_kwh | double | kWh | energy produced by the PV
--   grid_export_kwh | double | kWh | energy fed into the grid over the same quarter hours
-- returns: double | ratio

ratio(generation_kwh - grid_export_kwh, generation_kwh)
