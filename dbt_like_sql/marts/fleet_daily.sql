-- name: marts.fleet_daily
-- meaning: Energy of the whole fleet per day, beside how much of the fleet it covers.
-- grain: one row per local day that any system has in marts.daily_energy
-- key: day
-- null: <flow>_kwh: nothing valid in any system; <flow>_coverage: no system has or ought to have the flow.
-- columns:
--   day | date | local date | local day, each system's own
--   systems | bigint | systems | systems with a row
--   complete_systems | bigint | systems | of these, complete ones
--   generation_kwh | double | kWh | energy produced by the PV, over the valid buckets of all systems
--   consumption_kwh | double | kWh | energy used by the home, over the valid buckets of all systems
--   grid_import_kwh | double | kWh | energy drawn from the grid, over the valid buckets of all systems
--   grid_export_kwh | double | kWh | energy fed into the grid, over the valid buckets of all systems
--   battery_charge_kwh | double | kWh | energy put into the battery, over the valid buckets of all systems
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, over the valid buckets of all systems
--   generation_coverage | double | 0–1 | hours with valid buckets of generation ÷ hours of all systems that have or ought to have it
--   consumption_coverage | double | 0–1 | hours with valid buckets of consumption ÷ hours of all systems that have or ought to have it
--   grid_import_coverage | double | 0–1 | hours with valid buckets of grid_import ÷ hours of all systems that have or ought to have it
--   grid_export_coverage | double | 0–1 | hours with valid buckets of grid_export ÷ hours of all systems that have or ought to have it
--   battery_charge_coverage | double | 0–1 | hours with valid buckets of battery_charge ÷ hours of all systems that have or ought to have it
--   battery_discharge_coverage | double | 0–1 | hours with valid buckets of battery_discharge ÷ hours of all systems that have or ought to have it

-- Energy adds up in whole 10⁻¹⁸ kWh: a sum of doubles would depend on the order of the rows.
-- A system whose day could not be loaded counts in coverage with what its nearest loaded day has.
select
    daily.day,
    count(*) as systems,
    count(*) filter (where daily.is_complete) as complete_systems,
    sum(try_cast(1e18 * daily.generation_kwh as hugeint)) / 1e18 as generation_kwh,
    sum(try_cast(1e18 * daily.consumption_kwh as hugeint)) / 1e18 as consumption_kwh,
    sum(try_cast(1e18 * daily.grid_import_kwh as hugeint)) / 1e18 as grid_import_kwh,
    sum(try_cast(1e18 * daily.grid_export_kwh as hugeint)) / 1e18 as grid_export_kwh,
    sum(try_cast(1e18 * daily.battery_charge_kwh as hugeint)) / 1e18 as battery_charge_kwh,
    sum(try_cast(1e18 * daily.battery_discharge_kwh as hugeint)) / 1e18 as battery_discharge_kwh,
    sum(flow.generation_valid_minutes) / (60 * sum(flow.generation_due_hours)) as generation_coverage,
    sum(flow.consumption_valid_minutes) / (60 * sum(flow.consumption_due_hours)) as consumption_coverage,
    sum(flow.grid_import_valid_minutes) / (60 * sum(flow.grid_import_due_hours)) as grid_import_coverage,
    sum(flow.grid_export_valid_minutes) / (60 * sum(flow.grid_export_due_hours)) as grid_export_coverage,
    sum(flow.battery_charge_valid_minutes) / (60 * sum(flow.battery_charge_due_hours)) as battery_charge_coverage,
    sum(flow.battery_discharge_valid_minutes) / (60 * sum(flow.battery_discharge_due_hours)) as battery_discharge_coverage
from marts.daily_energy as daily
inner join staging.day_flow as flow on flow.system_id = daily.system_id and flow.day = daily.day
group by daily.day
