-- name: macros.self_consumption
-- meaning: The share of the attributed generation that the home used or stored.
-- null: one of them is NULL, or the denominator is at most least_kwh().
-- parameters:
--   used_solar_kwh | double | kWh | PV energy that the home used
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid
-- returns: double | 0–1

ratio(used_solar_kwh + solar_to_battery_kwh, used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh)
