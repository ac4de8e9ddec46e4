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
-- A system whose day could not be loaded counts in coverage with what its nearest loaded day has.
select
    daily.day,
    count(*) filter (where spine.is_expected) as systems,
    count(*) filter (where daily.is_complete) as complete_systems,
    count(*) filter (where spine.outcome = 'not_asked') as not_asked_systems,
    count(*) filter (where daily.edited_buckets > 0) as edited_systems,
    sum_exactly(daily.generation_kwh) as generation_kwh,
    sum_exactly(daily.consumption_kwh) as consumption_kwh,
    sum_exactly(daily.grid_import_kwh) as grid_import_kwh,
    sum_exactly(daily.grid_export_kwh) as grid_export_kwh,
    sum_exactly(daily.battery_charge_kwh) as battery_charge_kwh,
    sum_exactly(daily.battery_discharge_kwh) as battery_discharge_kwh,
    count(daily.generation_kwh) as generation_systems,
    count(daily.consumption_kwh) as consumption_systems,
    count(daily.grid_import_kwh) as grid_import_systems,
    count(daily.grid_export_kwh) as grid_export_systems,
    count(daily.battery_charge_kwh) as battery_charge_systems,
    count(daily.battery_discharge_kwh) as battery_discharge_systems,
    mean_exactly(daily.generation_kwh) as generation_mean_kwh,
    mean_exactly(daily.consumption_kwh) as consumption_mean_kwh,
    mean_exactly(daily.grid_import_kwh) as grid_import_mean_kwh,
    mean_exactly(daily.grid_export_kwh) as grid_export_mean_kwh,
    mean_exactly(daily.battery_charge_kwh) as battery_charge_mean_kwh,
    mean_exactly(daily.battery_discharge_kwh) as battery_discharge_mean_kwh,
    share_of_time(sum(flow.generation_valid_minutes), sum(flow.generation_due_hours)) as generation_coverage,
    share_of_time(sum(flow.consumption_valid_minutes), sum(flow.consumption_due_hours)) as consumption_coverage,
    share_of_time(sum(flow.grid_import_valid_minutes), sum(flow.grid_import_due_hours)) as grid_import_coverage,
    share_of_time(sum(flow.grid_export_valid_minutes), sum(flow.grid_export_due_hours)) as grid_export_coverage,
    share_of_time(sum(flow.battery_charge_valid_minutes), sum(flow.battery_charge_due_hours)) as battery_charge_coverage,
    share_of_time(sum(flow.battery_discharge_valid_minutes), sum(flow.battery_discharge_due_hours)) as battery_discharge_coverage,
    count(energy.used_total_kwh) as attributed_systems,
    sum_exactly(energy.used_solar_kwh) as used_solar_kwh,
    sum_exactly(energy.used_battery_kwh) as used_battery_kwh,
    sum_exactly(energy.used_grid_kwh) as used_grid_kwh,
    sum_exactly(energy.used_total_kwh) as used_total_kwh,
    sum_exactly(energy.solar_to_battery_kwh) as solar_to_battery_kwh,
    sum_exactly(energy.solar_to_grid_kwh) as solar_to_grid_kwh,
    sum_exactly(energy.grid_to_battery_kwh) as grid_to_battery_kwh,
    sum_exactly(energy.battery_to_grid_kwh) as battery_to_grid_kwh,
    self_consumption(
        sum_exactly(energy.used_solar_kwh), sum_exactly(energy.solar_to_battery_kwh), sum_exactly(energy.solar_to_grid_kwh)
    ) as self_consumption_ratio,
    self_consumption_low(
        sum_exactly(energy.used_solar_kwh), sum_exactly(energy.solar_to_battery_kwh), sum_exactly(energy.solar_to_grid_kwh), sum_gap(gap.generation_gap_kwh)
    ) as self_consumption_ratio_low,
    self_consumption_high(
        sum_exactly(energy.used_solar_kwh), sum_exactly(energy.solar_to_battery_kwh), sum_exactly(energy.solar_to_grid_kwh), sum_gap(gap.generation_gap_kwh)
    ) as self_consumption_ratio_high,
    self_consumption_simple(sum_exactly(energy.paired_generation_kwh), sum_exactly(energy.paired_grid_export_kwh)) as self_consumption_simple_ratio,
    self_sufficiency(
        sum_exactly(energy.used_solar_kwh), sum_exactly(energy.used_battery_kwh), sum_exactly(energy.used_total_kwh)
    ) as self_sufficiency_ratio,
    self_sufficiency_low(
        sum_exactly(energy.used_solar_kwh), sum_exactly(energy.used_battery_kwh), sum_exactly(energy.used_total_kwh), sum_gap(gap.consumption_gap_kwh)
    ) as self_sufficiency_ratio_low,
    self_sufficiency_high(
        sum_exactly(energy.used_solar_kwh), sum_exactly(energy.used_battery_kwh), sum_exactly(energy.used_total_kwh), sum_gap(gap.consumption_gap_kwh)
    ) as self_sufficiency_ratio_high,
    self_sufficiency_simple(sum_exactly(energy.paired_consumption_kwh), sum_exactly(energy.paired_grid_import_kwh)) as self_sufficiency_simple_ratio
from marts.daily_energy as daily
inner join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
inner join staging.day_flow as flow on flow.system_id = daily.system_id and flow.day = daily.day
inner join staging.day_gap as gap on gap.system_id = daily.system_id and gap.day = daily.day
left join core.day_energy as energy on energy.system_id = daily.system_id and energy.day = daily.day
group by daily.day
