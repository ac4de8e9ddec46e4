-- name: checks.attributed_flows_add_up
-- meaning: Attributed flows are never negative, the three used parts make the used whole, and no part exceeds the flow it is
--   taken from.
-- severity: structural
-- local to: system_id, day
-- failing row: a system and day for which it is not so

select system_id, day, used_solar_kwh, used_battery_kwh, used_grid_kwh, used_total_kwh, solar_to_battery_kwh, solar_to_grid_kwh, grid_to_battery_kwh, battery_to_grid_kwh
from core.day_energy
where
    least(used_solar_kwh, used_battery_kwh, used_grid_kwh, used_total_kwh, solar_to_battery_kwh, solar_to_grid_kwh, grid_to_battery_kwh, battery_to_grid_kwh) < -1e-9
    or abs(used_solar_kwh + used_battery_kwh + used_grid_kwh - used_total_kwh) > 1e-6
    or (attributed_minutes > 0) <> (used_total_kwh is not null)
