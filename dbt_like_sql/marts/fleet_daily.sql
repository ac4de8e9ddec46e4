-- name: marts.fleet_daily
-- meaning: Energy of the whole fleet per day, beside how much of the fleet it covers.
-- grain: one row per local day that any system has in marts.daily_energy
-- key: day
-- null: <flow>_kwh, <flow>_mean_kwh: nothing valid in any system; <flow>_coverage: no system has or ought to have the flow.
-- columns:
--   day | date | local date | local day, each system's own
--   systems | bigint | systems | systems that could have data: the day is not before their installation, unsupported or after they were gone
--   complete_systems | bigint | systems | of these, complete ones
--   not_asked_systems | bigint | systems | of these, systems that nobody asked for the day: their energy is in none of the sums
--   edited_systems | bigint | systems | of these, with a correction by hand (core.override)
--   generation_kwh | double | kWh | energy produced by the PV, over the valid buckets of all systems
--   consumption_kwh | double | kWh | energy used by the home, over the valid buckets of all systems
--   grid_import_kwh | double | kWh | energy drawn from the grid, over the valid buckets of all systems
--   grid_export_kwh | double | kWh | energy fed into the grid, over the valid buckets of all systems
--   battery_charge_kwh | double | kWh | energy put into the battery, over the valid buckets of all systems
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, over the valid buckets of all systems
--   generation_systems | bigint | systems | systems whose generation is in the sum
--   consumption_systems | bigint | systems | systems whose consumption is in the sum
--   grid_import_systems | bigint | systems | systems whose grid_import is in the sum
--   grid_export_systems | bigint | systems | systems whose grid_export is in the sum
--   battery_charge_systems | bigint | systems | systems whose battery_charge is in the sum
--   battery_discharge_systems | bigint | systems | systems whose battery_discharge is in the sum
--   generation_mean_kwh | double | kWh | energy produced by the PV, per system that has any: the sum ÷ generation_systems
--   consumption_mean_kwh | double | kWh | energy used by the home, per system that has any: the sum ÷ consumption_systems
--   grid_import_mean_kwh | double | kWh | energy drawn from the grid, per system that has any: the sum ÷ grid_import_systems
--   grid_export_mean_kwh | double | kWh | energy fed into the grid, per system that has any: the sum ÷ grid_export_systems
--   battery_charge_mean_kwh | double | kWh | energy put into the battery, per system that has any: the sum ÷ battery_charge_systems
--   battery_discharge_mean_kwh | double | kWh | energy taken out of the battery, per system that has any: the sum ÷ battery_discharge_systems
--   generation_coverage | double | 0–1 | hours with valid buckets of generation ÷ hours of all systems that have or ought to have it
--   consumption_coverage | double | 0–1 | hours with valid buckets of consumption ÷ hours of all systems that have or ought to have it
--   grid_import_coverage | double | 0–1 | hours with valid buckets of grid_import ÷ hours of all systems that have or ought to have it
--   grid_export_coverage | double | 0–1 | hours with valid buckets of grid_export ÷ hours of all systems that have or ought to have it
--   battery_charge_coverage | double | 0–1 | hours with valid buckets of battery_charge ÷ hours of all systems that have or ought to have it
--   battery_discharge_coverage | double | 0–1 | hours with valid buckets of battery_discharge ÷ hours of all systems that have or ought to have it
--   attributed_systems | bigint | systems | systems whose attributed flows are in these sums
--   used_solar_kwh | double | kWh | PV energy that the home used, over the attributed buckets of all systems
--   used_battery_kwh | double | kWh | energy from the battery that the home used, over the attributed buckets of all systems
--   used_grid_kwh | double | kWh | energy from the grid that the home used, over the attributed buckets of all systems
--   used_total_kwh | double | kWh | what the home used: used_solar + used_battery + used_grid, over the attributed buckets of all systems
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery, over the attributed buckets of all systems
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid, over the attributed buckets of all systems
--   grid_to_battery_kwh | double | kWh | energy from the grid put into the battery, over the attributed buckets of all systems
--   battery_to_grid_kwh | double | kWh | energy from the battery fed into the grid, over the attributed buckets of all systems
--   self_consumption_ratio | double | 0–1 | (used_solar + solar_to_battery) ÷ the generation of the attributed buckets
--   self_consumption_ratio_low | double | 0–1 | the least it can be, whatever the missing time of these systems held
--   self_consumption_ratio_high | double | 0–1 | the most it can be, whatever the missing time of these systems held
--   self_consumption_simple_ratio | double | ratio | (generation − grid_export) ÷ generation, over the quarter hours that both cover whole; wrong where the battery exports
--   self_sufficiency_ratio | double | 0–1 | (used_solar + used_battery) ÷ used_total
--   self_sufficiency_ratio_low | double | 0–1 | the least it can be, whatever the missing time of these systems held
--   self_sufficiency_ratio_high | double | 0–1 | the most it can be, whatever the missing time of these systems held
--   self_sufficiency_simple_ratio | double | ratio | 1 − grid_import ÷ consumption, over the quarter hours that both cover whole; negative where the battery charges from the grid

-- formulas: energy, coverage, flow attribution, ratios, bounds
-- Energy adds up in whole 10⁻¹⁸ kWh: a sum of doubles would depend on the order of the rows.
-- A system whose day could not be loaded counts in coverage with what its nearest loaded day has.
with
sums as (
    select
        daily.day,
        count(*) filter (where spine.is_expected) as systems,
        count(*) filter (where daily.is_complete) as complete_systems,
        count(*) filter (where spine.outcome = 'not_asked') as not_asked_systems,
        count(*) filter (where daily.edited_buckets > 0) as edited_systems,
        sum(try_cast(1e18 * daily.generation_kwh as hugeint)) / 1e18 as generation_kwh,
        sum(try_cast(1e18 * daily.consumption_kwh as hugeint)) / 1e18 as consumption_kwh,
        sum(try_cast(1e18 * daily.grid_import_kwh as hugeint)) / 1e18 as grid_import_kwh,
        sum(try_cast(1e18 * daily.grid_export_kwh as hugeint)) / 1e18 as grid_export_kwh,
        sum(try_cast(1e18 * daily.battery_charge_kwh as hugeint)) / 1e18 as battery_charge_kwh,
        sum(try_cast(1e18 * daily.battery_discharge_kwh as hugeint)) / 1e18 as battery_discharge_kwh,
        count(daily.generation_kwh) as generation_systems,
        count(daily.consumption_kwh) as consumption_systems,
        count(daily.grid_import_kwh) as grid_import_systems,
        count(daily.grid_export_kwh) as grid_export_systems,
        count(daily.battery_charge_kwh) as battery_charge_systems,
        count(daily.battery_discharge_kwh) as battery_discharge_systems,
        sum(flow.generation_valid_minutes) / (60 * sum(flow.generation_due_hours)) as generation_coverage,
        sum(flow.consumption_valid_minutes) / (60 * sum(flow.consumption_due_hours)) as consumption_coverage,
        sum(flow.grid_import_valid_minutes) / (60 * sum(flow.grid_import_due_hours)) as grid_import_coverage,
        sum(flow.grid_export_valid_minutes) / (60 * sum(flow.grid_export_due_hours)) as grid_export_coverage,
        sum(flow.battery_charge_valid_minutes) / (60 * sum(flow.battery_charge_due_hours)) as battery_charge_coverage,
        sum(flow.battery_discharge_valid_minutes) / (60 * sum(flow.battery_discharge_due_hours)) as battery_discharge_coverage,
        count(energy.used_total_kwh) as attributed_systems,
        sum(try_cast(1e18 * energy.used_solar_kwh as hugeint)) / 1e18 as used_solar_kwh,
        sum(try_cast(1e18 * energy.used_battery_kwh as hugeint)) / 1e18 as used_battery_kwh,
        sum(try_cast(1e18 * energy.used_grid_kwh as hugeint)) / 1e18 as used_grid_kwh,
        sum(try_cast(1e18 * energy.used_total_kwh as hugeint)) / 1e18 as used_total_kwh,
        sum(try_cast(1e18 * energy.solar_to_battery_kwh as hugeint)) / 1e18 as solar_to_battery_kwh,
        sum(try_cast(1e18 * energy.solar_to_grid_kwh as hugeint)) / 1e18 as solar_to_grid_kwh,
        sum(try_cast(1e18 * energy.grid_to_battery_kwh as hugeint)) / 1e18 as grid_to_battery_kwh,
        sum(try_cast(1e18 * energy.battery_to_grid_kwh as hugeint)) / 1e18 as battery_to_grid_kwh,
        sum(try_cast(1e18 * energy.paired_generation_kwh as hugeint)) / 1e18 as paired_generation_kwh,
        sum(try_cast(1e18 * energy.paired_consumption_kwh as hugeint)) / 1e18 as paired_consumption_kwh,
        sum(try_cast(1e18 * energy.paired_grid_import_kwh as hugeint)) / 1e18 as paired_grid_import_kwh,
        sum(try_cast(1e18 * energy.paired_grid_export_kwh as hugeint)) / 1e18 as paired_grid_export_kwh,
        sum(try_cast(1e9 * gap.generation_gap_kwh as hugeint)) / 1e9 as generation_gap_kwh,
        sum(try_cast(1e9 * gap.consumption_gap_kwh as hugeint)) / 1e9 as consumption_gap_kwh
    from marts.daily_energy as daily
    inner join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
    inner join staging.day_flow as flow on flow.system_id = daily.system_id and flow.day = daily.day
    inner join staging.day_gap as gap on gap.system_id = daily.system_id and gap.day = daily.day
    left join core.day_energy as energy on energy.system_id = daily.system_id and energy.day = daily.day
    group by daily.day
)

select
    day,
    systems,
    complete_systems,
    not_asked_systems,
    edited_systems,
    generation_kwh,
    consumption_kwh,
    grid_import_kwh,
    grid_export_kwh,
    battery_charge_kwh,
    battery_discharge_kwh,
    generation_systems,
    consumption_systems,
    grid_import_systems,
    grid_export_systems,
    battery_charge_systems,
    battery_discharge_systems,
    generation_kwh / nullif(generation_systems, 0) as generation_mean_kwh,
    consumption_kwh / nullif(consumption_systems, 0) as consumption_mean_kwh,
    grid_import_kwh / nullif(grid_import_systems, 0) as grid_import_mean_kwh,
    grid_export_kwh / nullif(grid_export_systems, 0) as grid_export_mean_kwh,
    battery_charge_kwh / nullif(battery_charge_systems, 0) as battery_charge_mean_kwh,
    battery_discharge_kwh / nullif(battery_discharge_systems, 0) as battery_discharge_mean_kwh,
    generation_coverage,
    consumption_coverage,
    grid_import_coverage,
    grid_export_coverage,
    battery_charge_coverage,
    battery_discharge_coverage,
    attributed_systems,
    used_solar_kwh,
    used_battery_kwh,
    used_grid_kwh,
    used_total_kwh,
    solar_to_battery_kwh,
    solar_to_grid_kwh,
    grid_to_battery_kwh,
    battery_to_grid_kwh,
    case
        when used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh > 0.05
            then (used_solar_kwh + solar_to_battery_kwh) / (used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh)
    end as self_consumption_ratio,
    case
        when used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh > 0.05
            then
                (used_solar_kwh + solar_to_battery_kwh)
                / (used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh + generation_gap_kwh)
    end as self_consumption_ratio_low,
    case
        when used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh > 0.05
            then
                (used_solar_kwh + solar_to_battery_kwh + generation_gap_kwh)
                / (used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh + generation_gap_kwh)
    end as self_consumption_ratio_high,
    case
        when paired_generation_kwh > 0.05
            then (paired_generation_kwh - paired_grid_export_kwh) / paired_generation_kwh
    end as self_consumption_simple_ratio,
    case
        when used_total_kwh > 0.05
            then (used_solar_kwh + used_battery_kwh) / used_total_kwh
    end as self_sufficiency_ratio,
    case
        when used_total_kwh > 0.05
            then (used_solar_kwh + used_battery_kwh) / (used_total_kwh + consumption_gap_kwh)
    end as self_sufficiency_ratio_low,
    case
        when used_total_kwh > 0.05
            then
                (used_solar_kwh + used_battery_kwh + consumption_gap_kwh)
                / (used_total_kwh + consumption_gap_kwh)
    end as self_sufficiency_ratio_high,
    case
        when paired_consumption_kwh > 0.05
            then 1 - paired_grid_import_kwh / paired_consumption_kwh
    end as self_sufficiency_simple_ratio
from sums
