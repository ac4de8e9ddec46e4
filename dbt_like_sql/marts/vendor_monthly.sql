-- name: marts.vendor_monthly
-- meaning: Energy of each vendor's systems per month, beside how much of them it covers.
-- grain: vendor × calendar month with at least one row in marts.monthly_energy
-- key: vendor, month
-- null: vendor: no list ever showed these systems; <flow>_kwh: nothing valid in any system; <flow>_coverage: no system has
--   or ought to have the flow.
-- columns:
--   vendor | varchar | - | vendor as Enode spells it
--   month | date | local date | first day of the month
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
-- A system of whose month no day could be loaded counts in coverage with what its nearest loaded day has.
select
    monthly.vendor,
    monthly.month,
    count(*) as systems,
    count(*) filter (where monthly.is_complete) as complete_systems,
    sum(try_cast(1e18 * monthly.generation_kwh as hugeint)) / 1e18 as generation_kwh,
    sum(try_cast(1e18 * monthly.consumption_kwh as hugeint)) / 1e18 as consumption_kwh,
    sum(try_cast(1e18 * monthly.grid_import_kwh as hugeint)) / 1e18 as grid_import_kwh,
    sum(try_cast(1e18 * monthly.grid_export_kwh as hugeint)) / 1e18 as grid_export_kwh,
    sum(try_cast(1e18 * monthly.battery_charge_kwh as hugeint)) / 1e18 as battery_charge_kwh,
    sum(try_cast(1e18 * monthly.battery_discharge_kwh as hugeint)) / 1e18 as battery_discharge_kwh,
    sum(touched.generation_valid_minutes) / (60 * sum(touched.generation_due_hours)) as generation_coverage,
    sum(touched.consumption_valid_minutes) / (60 * sum(touched.consumption_due_hours)) as consumption_coverage,
    sum(touched.grid_import_valid_minutes) / (60 * sum(touched.grid_import_due_hours)) as grid_import_coverage,
    sum(touched.grid_export_valid_minutes) / (60 * sum(touched.grid_export_due_hours)) as grid_export_coverage,
    sum(touched.battery_charge_valid_minutes) / (60 * sum(touched.battery_charge_due_hours)) as battery_charge_coverage,
    sum(touched.battery_discharge_valid_minutes) / (60 * sum(touched.battery_discharge_due_hours)) as battery_discharge_coverage
from marts.monthly_energy as monthly
inner join staging.month as touched on touched.system_id = monthly.system_id and touched.month = monthly.month
group by monthly.vendor, monthly.month
