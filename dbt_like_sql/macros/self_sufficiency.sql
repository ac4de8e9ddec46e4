-- name: macros.self_sufficiency
-- meaning: The share of what the home used that came from its PV and its battery.
-- null: one of them is NULL, or the denominator is at most least_kwh().
-- parameters:
--   used_solar_kwh | double | kWh | PV energy that the home used
--   used_battery_kwh | double | kWh | energy from the battery that the home used
--   used_total_kwh | double | kWh | what the home used
-- returns: double | 0–1

ratio(used_solar_kwh + used_battery_kwh, used_total_kwh)
