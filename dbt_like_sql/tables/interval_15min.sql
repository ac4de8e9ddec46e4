-- name: core.interval_15min
-- meaning: The common grid: every metric on quarter hours of UTC, whatever the vendor's resolution. Made from the
--   valid native buckets (not null, finite, not over the limit), with corrections by hand (core.override) in their place.
-- grain: system × local day × quarter hour that overlaps at least one native reading
-- key: system_id, day, start_utc
-- key checked by: interval_15min_key
-- null: no valid native bucket in that quarter hour; <flow>_minutes: the metric was not available that day;
--   balance_*: no native bucket in which all six flows are valid, or the six do not share one resolution.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   start_utc | timestamp | UTC | start of the quarter hour
--   start_local | timestamp | local time | start of the quarter hour as wall-clock time
--   utc_offset_minutes | smallint | min | local time minus UTC at the start of the quarter hour
--   generation_kw | double | kW | duration-weighted mean power produced by the PV over the covered minutes
--   consumption_kw | double | kW | duration-weighted mean power used by the home over the covered minutes
--   grid_import_kw | double | kW | duration-weighted mean power drawn from the grid over the covered minutes
--   grid_export_kw | double | kW | duration-weighted mean power fed into the grid over the covered minutes
--   battery_charge_kw | double | kW | duration-weighted mean power put into the battery over the covered minutes
--   battery_discharge_kw | double | kW | duration-weighted mean power taken out of the battery over the covered minutes
--   generation_kwh | double | kWh | energy produced by the PV during the covered minutes
--   consumption_kwh | double | kWh | energy used by the home during the covered minutes
--   grid_import_kwh | double | kWh | energy drawn from the grid during the covered minutes
--   grid_export_kwh | double | kWh | energy fed into the grid during the covered minutes
--   battery_charge_kwh | double | kWh | energy put into the battery during the covered minutes
--   battery_discharge_kwh | double | kWh | energy taken out of the battery during the covered minutes
--   generation_minutes | double | min | minutes with valid buckets of generation, 0–15; 0: available, nothing valid
--   consumption_minutes | double | min | minutes with valid buckets of consumption, 0–15; 0: available, nothing valid
--   grid_import_minutes | double | min | minutes with valid buckets of grid_import, 0–15; 0: available, nothing valid
--   grid_export_minutes | double | min | minutes with valid buckets of grid_export, 0–15; 0: available, nothing valid
--   battery_charge_minutes | double | min | minutes with valid buckets of battery_charge, 0–15; 0: available, nothing valid
--   battery_discharge_minutes | double | min | minutes with valid buckets of battery_discharge, 0–15; 0: available, nothing valid
--   soc_pct | double | % | last valid state of charge of the battery in the quarter hour
--   balance_sources_kwh | double | kWh | generation + grid import + battery discharge over the native buckets in which all six flows are valid
--   balance_sinks_kwh | double | kWh | consumption + grid export + battery charge over the same buckets

create table if not exists core.interval_15min (
    system_id varchar not null,
    day date not null,
    start_utc timestamp not null,
    start_local timestamp,
    utc_offset_minutes smallint,
    generation_kw double,
    consumption_kw double,
    grid_import_kw double,
    grid_export_kw double,
    battery_charge_kw double,
    battery_discharge_kw double,
    generation_kwh double,
    consumption_kwh double,
    grid_import_kwh double,
    grid_export_kwh double,
    battery_charge_kwh double,
    battery_discharge_kwh double,
    generation_minutes double,
    consumption_minutes double,
    grid_import_minutes double,
    grid_export_minutes double,
    battery_charge_minutes double,
    battery_discharge_minutes double,
    soc_pct double,
    balance_sources_kwh double,
    balance_sinks_kwh double
);
