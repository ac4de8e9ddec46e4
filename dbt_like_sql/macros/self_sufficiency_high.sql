-- name: macros.self_sufficiency_high
-- meaning: The most that self_sufficiency() can be, whatever the missing time held.
-- null: one of them is NULL, or the denominator is at most least_kwh().
-- parameters:
--   used_solar_kwh | double | kWh | PV energy that the home used
--   used_battery_kwh | double | kWh | energy from the battery that the home used
--   used_total_kwh | double | kWh | what the home used
--   consumption_gap_kwh | double | kWh | the most that the home could have used in the missing time
-- returns: double | 0–1

ratio_high(used_solar_kwh + used_battery_kwh, used_total_kwh, consumption_gap_kwh)
