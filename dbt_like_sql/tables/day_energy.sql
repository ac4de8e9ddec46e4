-- name: core.day_energy
-- meaning: The sums of each day, made by polars at load from the valid native buckets: energy, attributed flows, both sides of
--   the balance, peaks, state of charge. Corrections by hand (core.override) are in them.
-- grain: system × local day that has readings
-- key: system_id, day
-- null: a sum of nothing (never 0); the attributed flows and attributed_minutes: one of the five flows is not available, or
--   they do not share one resolution.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   generation_kwh | double | kWh | energy produced by the PV, over the valid buckets
--   consumption_kwh | double | kWh | energy used by the home, over the valid buckets
--   grid_import_kwh | double | kWh | energy drawn from the grid, over the valid buckets
--   grid_export_kwh | double | kWh | energy fed into the grid, over the valid buckets
--   battery_charge_kwh | double | kWh | energy put into the battery, over the valid buckets
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, over the valid buckets
--   balance_sources_kwh | double | kWh | generation + grid import + battery discharge over the native buckets in which all six flows are valid
--   balance_sinks_kwh | double | kWh | consumption + grid export + battery charge over the same buckets
--   used_solar_kwh | double | kWh | PV energy that the home used, over the attributed minutes
--   used_battery_kwh | double | kWh | energy from the battery that the home used, over the attributed minutes
--   used_grid_kwh | double | kWh | energy from the grid that the home used, over the attributed minutes
--   used_total_kwh | double | kWh | what the home used: used_solar + used_battery + used_grid, over the attributed minutes
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery, over the attributed minutes
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid, over the attributed minutes
--   grid_to_battery_kwh | double | kWh | energy from the grid put into the battery, over the attributed minutes
--   battery_to_grid_kwh | double | kWh | energy from the battery fed into the grid, over the attributed minutes
--   attributed_minutes | integer | min | minutes of the buckets in which generation, grid and battery flows are all valid
--   paired_generation_kwh | double | kWh | energy produced by the PV, over the quarter hours that generation and grid_export cover whole
--   paired_consumption_kwh | double | kWh | energy used by the home, over the quarter hours that consumption and grid_import cover whole
--   paired_grid_import_kwh | double | kWh | energy drawn from the grid, over the quarter hours that grid_import and consumption cover whole
--   paired_grid_export_kwh | double | kWh | energy fed into the grid, over the quarter hours that grid_export and generation cover whole
--   paired_battery_charge_kwh | double | kWh | energy put into the battery, over the quarter hours that battery_charge and battery_discharge cover whole
--   paired_battery_discharge_kwh | double | kWh | energy taken out of the battery, over the quarter hours that battery_discharge and battery_charge cover whole
--   generation_peak_kw | double | kW | highest 15-minute mean of the power produced by the PV
--   consumption_peak_kw | double | kW | highest 15-minute mean of the power used by the home
--   grid_import_peak_kw | double | kW | highest 15-minute mean of the power drawn from the grid
--   grid_export_peak_kw | double | kW | highest 15-minute mean of the power fed into the grid
--   battery_charge_peak_kw | double | kW | highest 15-minute mean of the power put into the battery
--   battery_discharge_peak_kw | double | kW | highest 15-minute mean of the power taken out of the battery
--   grid_import_peak_at_utc | timestamp | UTC | start of the first quarter hour with that peak of grid_import
--   grid_import_peak_at_local | timestamp | local time | the same on the wall clock of the home
--   soc_first_pct | double | % | first state of charge of the day
--   soc_last_pct | double | % | last state of charge of the day
--   soc_min_pct | double | % | lowest state of charge of the day
--   soc_max_pct | double | % | highest state of charge of the day
--   consumption_first_bucket_kwh | double | kWh | energy used by the home in the first native bucket of the day: tells which end of a bucket the stamps name
--   generation_bucket_peak_kw | double | kW | highest power produced by the PV in a native bucket: limits what a gap could have held
--   consumption_bucket_peak_kw | double | kW | highest power used by the home in a native bucket: limits what a gap could have held

create table if not exists core.day_energy (
    system_id varchar not null,
    day date not null,
    generation_kwh double,
    consumption_kwh double,
    grid_import_kwh double,
    grid_export_kwh double,
    battery_charge_kwh double,
    battery_discharge_kwh double,
    balance_sources_kwh double,
    balance_sinks_kwh double,
    used_solar_kwh double,
    used_battery_kwh double,
    used_grid_kwh double,
    used_total_kwh double,
    solar_to_battery_kwh double,
    solar_to_grid_kwh double,
    grid_to_battery_kwh double,
    battery_to_grid_kwh double,
    attributed_minutes integer,
    paired_generation_kwh double,
    paired_consumption_kwh double,
    paired_grid_import_kwh double,
    paired_grid_export_kwh double,
    paired_battery_charge_kwh double,
    paired_battery_discharge_kwh double,
    generation_peak_kw double,
    consumption_peak_kw double,
    grid_import_peak_kw double,
    grid_export_peak_kw double,
    battery_charge_peak_kw double,
    battery_discharge_peak_kw double,
    grid_import_peak_at_utc timestamp,
    grid_import_peak_at_local timestamp,
    soc_first_pct double,
    soc_last_pct double,
    soc_min_pct double,
    soc_max_pct double,
    consumption_first_bucket_kwh double,
    generation_bucket_peak_kw double,
    consumption_bucket_peak_kw double
);
