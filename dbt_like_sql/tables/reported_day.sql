-- name: core.reported_day
-- meaning: Daily energy as the vendor reports it (Enode's MONTH interval), beside what we integrate ourselves.
-- grain: system × local day
-- key: system_id, day
-- null: the vendor reported no value for that day.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   generation_kwh | double | kWh | energy produced by the PV, as the vendor reports it
--   consumption_kwh | double | kWh | energy used by the home, as the vendor reports it
--   grid_import_kwh | double | kWh | energy drawn from the grid, as the vendor reports it
--   grid_export_kwh | double | kWh | energy fed into the grid, as the vendor reports it
--   battery_charge_kwh | double | kWh | energy put into the battery, as the vendor reports it
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, as the vendor reports it
--   fetched_at_utc | timestamp | UTC | when the month that holds this value was fetched

create table if not exists core.reported_day (
    system_id varchar not null,
    day date not null,
    generation_kwh double,
    consumption_kwh double,
    grid_import_kwh double,
    grid_export_kwh double,
    battery_charge_kwh double,
    battery_discharge_kwh double,
    fetched_at_utc timestamp
);
