-- name: marts.monthly_energy
-- meaning: Energy of every month beside what it covers and what the vendor reports. Days that were never loaded count as not covered.
-- grain: system × calendar month with at least one row in marts.daily_energy
-- key: system_id, month
-- null: <flow>_kwh: nothing valid all month; <flow>_coverage: no loaded day has the flow, or the zone is unknown;
--   <flow>_reported_kwh: no day reported; the attributed flows (used_*, *_to_*): no day has them; every ratio: also where
--   its denominator is at most 0.05 kWh.
-- materialized: table
-- rebuilt by: system_id, month
-- reaches: select system_id, cast(month + to_months(later) as date) as month from changed cross join range(1, 3) as months (later)
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   month | date | local date | first day of the month
--   user_id | varchar | - | your own id of the user to whom the account belonged on the last day of the month that has a row
--   users | bigint | users | different users to whom it belonged over the days of the month: above 1 the numbers are of more than one
--   vendor | varchar | - | vendor as Enode spells it
--   month_hours | double | h | length of the whole local calendar month, also of a running one
--   generation_kwh | double | kWh | energy produced by the PV, over the valid buckets of the month
--   consumption_kwh | double | kWh | energy used by the home, over the valid buckets of the month
--   grid_import_kwh | double | kWh | energy drawn from the grid, over the valid buckets of the month
--   grid_export_kwh | double | kWh | energy fed into the grid, over the valid buckets of the month
--   battery_charge_kwh | double | kWh | energy put into the battery, over the valid buckets of the month
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, over the valid buckets of the month
--   generation_coverage | double | 0–1 | hours with valid buckets of generation ÷ hours of the whole local calendar month
--   consumption_coverage | double | 0–1 | hours with valid buckets of consumption ÷ hours of the whole local calendar month
--   grid_import_coverage | double | 0–1 | hours with valid buckets of grid_import ÷ hours of the whole local calendar month
--   grid_export_coverage | double | 0–1 | hours with valid buckets of grid_export ÷ hours of the whole local calendar month
--   battery_charge_coverage | double | 0–1 | hours with valid buckets of battery_charge ÷ hours of the whole local calendar month
--   battery_discharge_coverage | double | 0–1 | hours with valid buckets of battery_discharge ÷ hours of the whole local calendar month
--   generation_reported_kwh | double | kWh | energy produced by the PV: sum of the days that the vendor reports
--   consumption_reported_kwh | double | kWh | energy used by the home: sum of the days that the vendor reports
--   grid_import_reported_kwh | double | kWh | energy drawn from the grid: sum of the days that the vendor reports
--   grid_export_reported_kwh | double | kWh | energy fed into the grid: sum of the days that the vendor reports
--   battery_charge_reported_kwh | double | kWh | energy put into the battery: sum of the days that the vendor reports
--   battery_discharge_reported_kwh | double | kWh | energy taken out of the battery: sum of the days that the vendor reports
--   generation_reported_days | bigint | days | days for which the vendor reports generation
--   consumption_reported_days | bigint | days | days for which the vendor reports consumption
--   grid_import_reported_days | bigint | days | days for which the vendor reports grid_import
--   grid_export_reported_days | bigint | days | days for which the vendor reports grid_export
--   battery_charge_reported_days | bigint | days | days for which the vendor reports battery_charge
--   battery_discharge_reported_days | bigint | days | days for which the vendor reports battery_discharge
--   loaded_days | bigint | days | days that the tables hold
--   overlapping_days | bigint | days | loaded days that begin before the day before them ended (read in another zone): in no sum of the month, so that no hour counts twice
--   not_asked_days | bigint | days | days that nobody asked for and for which only the vendor's daily total is known
--   expected_days | bigint | days | days with a row on which the home could have data: not before its installation, not unsupported, not gone
--   complete_days | bigint | days | days that are complete
--   edited_days | bigint | days | days with a correction by hand (core.override)
--   calendar_days | bigint | days | days of the whole calendar month, also of a running one
--   is_complete | boolean | - | complete days ÷ calendar days is at least 0.9
--   used_solar_kwh | double | kWh | PV energy that the home used, over the attributed buckets
--   used_battery_kwh | double | kWh | energy from the battery that the home used, over the attributed buckets
--   used_grid_kwh | double | kWh | energy from the grid that the home used, over the attributed buckets
--   used_total_kwh | double | kWh | what the home used: used_solar + used_battery + used_grid, over the attributed buckets
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery, over the attributed buckets
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid, over the attributed buckets
--   grid_to_battery_kwh | double | kWh | energy from the grid put into the battery, over the attributed buckets
--   battery_to_grid_kwh | double | kWh | energy from the battery fed into the grid, over the attributed buckets
--   attributed_coverage | double | 0–1 | share of the whole local calendar month whose buckets the attributed flows are made from
--   self_consumption_ratio | double | 0–1 | (used_solar + solar_to_battery) ÷ the generation of the attributed buckets
--   self_consumption_ratio_low | double | 0–1 | the least it can be, whatever the missing time held
--   self_consumption_ratio_high | double | 0–1 | the most it can be, whatever the missing time held
--   self_consumption_simple_ratio | double | ratio | (generation − grid_export) ÷ generation, over the quarter hours that both cover whole; wrong where the battery exports
--   self_sufficiency_ratio | double | 0–1 | (used_solar + used_battery) ÷ used_total
--   self_sufficiency_ratio_low | double | 0–1 | the least it can be, whatever the missing time held
--   self_sufficiency_ratio_high | double | 0–1 | the most it can be, whatever the missing time held
--   self_sufficiency_simple_ratio | double | ratio | 1 − grid_import ÷ consumption, over the quarter hours that both cover whole; negative where the battery charges from the grid
--   peak_import_kw | double | kW | highest 15-minute mean of grid_import
--   peak_import_at_utc | timestamp | UTC | start of the first quarter hour with that peak
--   peak_import_at_local | timestamp | local time | the same on the wall clock of the home
--   load_factor_ratio | double | 0–1 | mean of consumption over its valid time ÷ its highest 15-minute mean
--   battery_full_cycles | double | cycles | battery_discharge ÷ usable capacity; NULL where no list tells the capacity
--   battery_round_trip_ratio | double | ratio | battery_discharge ÷ battery_charge over this month and the two before it, over the quarter hours that both cover whole; NULL where that is less than 30 days; above 1 is no battery's
--   battery_round_trip_days | bigint | days | days of these three months with both flows

-- formulas: energy, coverage, complete month, flow attribution, ratios, peak, load factor, battery round trip, bounds
with
-- a day that begins before the day before it ended counts as reported, and in no sum: no hour counts twice
counted as (
    select
        daily.system_id,
        daily.day,
        case when spine.overlap_hours <= 0 then daily.generation_kwh end as generation_kwh,
        case when spine.overlap_hours <= 0 then daily.consumption_kwh end as consumption_kwh,
        case when spine.overlap_hours <= 0 then daily.grid_import_kwh end as grid_import_kwh,
        case when spine.overlap_hours <= 0 then daily.grid_export_kwh end as grid_export_kwh,
        case when spine.overlap_hours <= 0 then daily.battery_charge_kwh end as battery_charge_kwh,
        case when spine.overlap_hours <= 0 then daily.battery_discharge_kwh end as battery_discharge_kwh,
        daily.generation_reported_kwh, daily.consumption_reported_kwh, daily.grid_import_reported_kwh,
        daily.grid_export_reported_kwh, daily.battery_charge_reported_kwh, daily.battery_discharge_reported_kwh,
        daily.is_complete and spine.overlap_hours <= 0 as is_complete,
        daily.edited_buckets
    from marts.daily_energy as daily
    inner join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
),

sums as (
    select
        system_id,
        cast(date_trunc('month', day) as date) as month,
        sum_exactly(generation_kwh) as generation_kwh,
        sum_exactly(consumption_kwh) as consumption_kwh,
        sum_exactly(grid_import_kwh) as grid_import_kwh,
        sum_exactly(grid_export_kwh) as grid_export_kwh,
        sum_exactly(battery_charge_kwh) as battery_charge_kwh,
        sum_exactly(battery_discharge_kwh) as battery_discharge_kwh,
        sum_exactly(generation_reported_kwh) as generation_reported_kwh,
        sum_exactly(consumption_reported_kwh) as consumption_reported_kwh,
        sum_exactly(grid_import_reported_kwh) as grid_import_reported_kwh,
        sum_exactly(grid_export_reported_kwh) as grid_export_reported_kwh,
        sum_exactly(battery_charge_reported_kwh) as battery_charge_reported_kwh,
        sum_exactly(battery_discharge_reported_kwh) as battery_discharge_reported_kwh,
        count(generation_reported_kwh) as generation_reported_days,
        count(consumption_reported_kwh) as consumption_reported_days,
        count(grid_import_reported_kwh) as grid_import_reported_days,
        count(grid_export_reported_kwh) as grid_export_reported_days,
        count(battery_charge_reported_kwh) as battery_charge_reported_days,
        count(battery_discharge_reported_kwh) as battery_discharge_reported_days,
        count(*) filter (where is_complete) as complete_days,
        count(*) filter (where edited_buckets > 0) as edited_days
    from counted
    group by system_id, cast(date_trunc('month', day) as date)
)

select
    touched.system_id,
    touched.month,
    touched.user_id,
    touched.users,
    system.vendor,
    touched.month_hours,
    sums.generation_kwh, sums.consumption_kwh, sums.grid_import_kwh, sums.grid_export_kwh, sums.battery_charge_kwh, sums.battery_discharge_kwh,
    case when touched.generation_is_available then share_of_time(touched.generation_valid_minutes, touched.month_hours) end as generation_coverage,
    case when touched.consumption_is_available then share_of_time(touched.consumption_valid_minutes, touched.month_hours) end as consumption_coverage,
    case when touched.grid_import_is_available then share_of_time(touched.grid_import_valid_minutes, touched.month_hours) end as grid_import_coverage,
    case when touched.grid_export_is_available then share_of_time(touched.grid_export_valid_minutes, touched.month_hours) end as grid_export_coverage,
    case when touched.battery_charge_is_available then share_of_time(touched.battery_charge_valid_minutes, touched.month_hours) end as battery_charge_coverage,
    case when touched.battery_discharge_is_available then share_of_time(touched.battery_discharge_valid_minutes, touched.month_hours) end as battery_discharge_coverage,
    sums.generation_reported_kwh, sums.consumption_reported_kwh, sums.grid_import_reported_kwh,
    sums.grid_export_reported_kwh, sums.battery_charge_reported_kwh, sums.battery_discharge_reported_kwh,
    sums.generation_reported_days, sums.consumption_reported_days, sums.grid_import_reported_days,
    sums.grid_export_reported_days, sums.battery_charge_reported_days, sums.battery_discharge_reported_days,
    touched.loaded_days,
    touched.overlapping_days,
    touched.not_asked_days,
    touched.expected_days,
    sums.complete_days,
    sums.edited_days,
    touched.calendar_days,
    sums.complete_days / touched.calendar_days >= complete_month_ratio() as is_complete,
    energy.used_solar_kwh, energy.used_battery_kwh, energy.used_grid_kwh, energy.used_total_kwh,
    energy.solar_to_battery_kwh, energy.solar_to_grid_kwh, energy.grid_to_battery_kwh, energy.battery_to_grid_kwh,
    share_of_time(energy.attributed_minutes, touched.month_hours) as attributed_coverage,
    self_consumption(energy.used_solar_kwh, energy.solar_to_battery_kwh, energy.solar_to_grid_kwh) as self_consumption_ratio,
    self_consumption_low(
        energy.used_solar_kwh, energy.solar_to_battery_kwh, energy.solar_to_grid_kwh, energy.generation_gap_kwh
    ) as self_consumption_ratio_low,
    self_consumption_high(
        energy.used_solar_kwh, energy.solar_to_battery_kwh, energy.solar_to_grid_kwh, energy.generation_gap_kwh
    ) as self_consumption_ratio_high,
    self_consumption_simple(energy.paired_generation_kwh, energy.paired_grid_export_kwh) as self_consumption_simple_ratio,
    self_sufficiency(energy.used_solar_kwh, energy.used_battery_kwh, energy.used_total_kwh) as self_sufficiency_ratio,
    self_sufficiency_low(
        energy.used_solar_kwh, energy.used_battery_kwh, energy.used_total_kwh, energy.consumption_gap_kwh
    ) as self_sufficiency_ratio_low,
    self_sufficiency_high(
        energy.used_solar_kwh, energy.used_battery_kwh, energy.used_total_kwh, energy.consumption_gap_kwh
    ) as self_sufficiency_ratio_high,
    self_sufficiency_simple(energy.paired_consumption_kwh, energy.paired_grid_import_kwh) as self_sufficiency_simple_ratio,
    energy.grid_import_peak_kw as peak_import_kw,
    energy.grid_import_peak_at_utc as peak_import_at_utc,
    energy.grid_import_peak_at_local as peak_import_at_local,
    load_factor(sums.consumption_kwh, touched.consumption_valid_minutes, energy.consumption_peak_kw) as load_factor_ratio,
    sums.battery_discharge_kwh / nullif(system.battery_capacity_kwh, 0) as battery_full_cycles,
    case when battery.days >= 30 then ratio(battery.discharge_kwh, battery.charge_kwh) end as battery_round_trip_ratio,
    battery.days as battery_round_trip_days
from staging.month as touched
inner join sums on sums.system_id = touched.system_id and sums.month = touched.month
inner join staging.system as system on system.system_id = touched.system_id
inner join staging.month_energy as energy on energy.system_id = touched.system_id and energy.month = touched.month
left join staging.month_battery as battery on battery.system_id = touched.system_id and battery.month = touched.month
