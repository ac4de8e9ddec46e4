-- name: macros.self_consumption_low
-- meaning: The least that self_consumption() can be, whatever the missing time held.
-- null: one of them is NULL, or the denominator is at most least_kwh().
-- parameters:
--   used_solar_kwh | double | kWh | PV energy that the home used
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid
--   generation_gap_kwh | double | kWh | the most that the PV could have produced in the missing time
-- returns: double | 0–1

ratio_low(
    used_solar_kwh + solar_to_battery_kwh,
    used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh,
    generation_gap_kwh
)
