-- name: staging.day_energy
-- meaning: Sums of the quarter hours of each day: energy and both sides of the balance.
-- grain: system × local day with at least one quarter hour
-- key: system_id, day
-- null: nothing valid that day (a sum of nothing is NULL, never 0).
-- materialized: table
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   generation_kwh | double | kWh | energy produced by the PV, over the valid buckets
--   consumption_kwh | double | kWh | energy used by the home, over the valid buckets
--   grid_import_kwh | double | kWh | energy drawn from the grid, over the valid buckets
--   grid_export_kwh | double | kWh | energy fed into the grid, over the valid buckets
--   battery_charge_kwh | double | kWh | energy put into the battery, over the valid buckets
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, over the valid buckets
--   balance_sources_kwh | double | kWh | generation + grid import + battery discharge where all six flows are valid
--   balance_sinks_kwh | double | kWh | consumption + grid export + battery charge over the same buckets

-- The sum of doubles depends on the order of the rows. Whole 10⁻¹⁸ kWh add up exactly: the same rows give the same number.
select
    system_id,
    day,
    sum(try_cast(1e18 * generation_kwh as hugeint)) / 1e18 as generation_kwh,
    sum(try_cast(1e18 * consumption_kwh as hugeint)) / 1e18 as consumption_kwh,
    sum(try_cast(1e18 * grid_import_kwh as hugeint)) / 1e18 as grid_import_kwh,
    sum(try_cast(1e18 * grid_export_kwh as hugeint)) / 1e18 as grid_export_kwh,
    sum(try_cast(1e18 * battery_charge_kwh as hugeint)) / 1e18 as battery_charge_kwh,
    sum(try_cast(1e18 * battery_discharge_kwh as hugeint)) / 1e18 as battery_discharge_kwh,
    sum(try_cast(1e18 * balance_sources_kwh as hugeint)) / 1e18 as balance_sources_kwh,
    sum(try_cast(1e18 * balance_sinks_kwh as hugeint)) / 1e18 as balance_sinks_kwh
from core.interval_15min
group by system_id, day
