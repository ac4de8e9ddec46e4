-- Each part of the systems in `wanted` (system_id, part) over each of the periods in `period` (first_day, last_day), as
-- marts.daily_energy has them by day: sums and means beside coverage and the homes behind them, attributed flows, ratios with bounds, the highest peak.
select
    wanted.part,
    period.first_day,
    period.last_day,
    count(distinct daily.system_id) filter (where spine.is_expected) as systems,
    count(daily.day) as days,
    count(*) filter (where spine.is_loaded) as loaded_days,
    count(*) filter (where daily.is_complete) as complete_days,
    sum_exactly(daily.generation_kwh) as generation_kwh,
    sum_exactly(daily.consumption_kwh) as consumption_kwh,
    sum_exactly(daily.grid_import_kwh) as grid_import_kwh,
    sum_exactly(daily.grid_export_kwh) as grid_export_kwh,
    sum_exactly(daily.battery_charge_kwh) as battery_charge_kwh,
    sum_exactly(daily.battery_discharge_kwh) as battery_discharge_kwh,
    mean_exactly(daily.generation_kwh) as generation_mean_kwh,
    mean_exactly(daily.consumption_kwh) as consumption_mean_kwh,
    mean_exactly(daily.grid_import_kwh) as grid_import_mean_kwh,
    mean_exactly(daily.grid_export_kwh) as grid_export_mean_kwh,
    mean_exactly(daily.battery_charge_kwh) as battery_charge_mean_kwh,
    mean_exactly(daily.battery_discharge_kwh) as battery_discharge_mean_kwh,
    count(distinct daily.system_id) filter (where daily.generation_kwh is not null) as generation_systems,
    count(distinct daily.system_id) filter (where daily.consumption_kwh is not null) as consumption_systems,
    count(distinct daily.system_id) filter (where daily.grid_import_kwh is not null) as grid_import_systems,
    count(distinct daily.system_id) filter (where daily.grid_export_kwh is not null) as grid_export_systems,
    count(distinct daily.system_id) filter (where daily.battery_charge_kwh is not null) as battery_charge_systems,
    count(distinct daily.system_id) filter (where daily.battery_discharge_kwh is not null) as battery_discharge_systems,
    share_of_time(sum(flow.generation_valid_minutes), sum(flow.generation_due_hours)) as generation_coverage,
    share_of_time(sum(flow.consumption_valid_minutes), sum(flow.consumption_due_hours)) as consumption_coverage,
    share_of_time(sum(flow.grid_import_valid_minutes), sum(flow.grid_import_due_hours)) as grid_import_coverage,
    share_of_time(sum(flow.grid_export_valid_minutes), sum(flow.grid_export_due_hours)) as grid_export_coverage,
    share_of_time(sum(flow.battery_charge_valid_minutes), sum(flow.battery_charge_due_hours)) as battery_charge_coverage,
    share_of_time(sum(flow.battery_discharge_valid_minutes), sum(flow.battery_discharge_due_hours)) as battery_discharge_coverage,
    count(distinct daily.system_id) filter (where energy.used_total_kwh is not null) as attributed_systems,
    sum_exactly(energy.used_solar_kwh) as used_solar_kwh,
    sum_exactly(energy.used_battery_kwh) as used_battery_kwh,
    sum_exactly(energy.used_grid_kwh) as used_grid_kwh,
    sum_exactly(energy.used_total_kwh) as used_total_kwh,
    sum_exactly(energy.solar_to_battery_kwh) as solar_to_battery_kwh,
    sum_exactly(energy.solar_to_grid_kwh) as solar_to_grid_kwh,
    sum_exactly(energy.grid_to_battery_kwh) as grid_to_battery_kwh,
    sum_exactly(energy.battery_to_grid_kwh) as battery_to_grid_kwh,
    share_of_time(sum(energy.attributed_minutes), sum(spine.day_hours)) as attributed_coverage,
    self_consumption(sum_exactly(energy.used_solar_kwh), sum_exactly(energy.solar_to_battery_kwh), sum_exactly(energy.solar_to_grid_kwh)) as self_consumption_ratio,
    self_consumption_low(sum_exactly(energy.used_solar_kwh), sum_exactly(energy.solar_to_battery_kwh), sum_exactly(energy.solar_to_grid_kwh), sum_gap(gap.generation_gap_kwh)) as self_consumption_ratio_low,
    self_consumption_high(sum_exactly(energy.used_solar_kwh), sum_exactly(energy.solar_to_battery_kwh), sum_exactly(energy.solar_to_grid_kwh), sum_gap(gap.generation_gap_kwh)) as self_consumption_ratio_high,
    self_consumption_simple(sum_exactly(energy.paired_generation_kwh), sum_exactly(energy.paired_grid_export_kwh)) as self_consumption_simple_ratio,
    self_sufficiency(sum_exactly(energy.used_solar_kwh), sum_exactly(energy.used_battery_kwh), sum_exactly(energy.used_total_kwh)) as self_sufficiency_ratio,
    self_sufficiency_low(sum_exactly(energy.used_solar_kwh), sum_exactly(energy.used_battery_kwh), sum_exactly(energy.used_total_kwh), sum_gap(gap.consumption_gap_kwh)) as self_sufficiency_ratio_low,
    self_sufficiency_high(sum_exactly(energy.used_solar_kwh), sum_exactly(energy.used_battery_kwh), sum_exactly(energy.used_total_kwh), sum_gap(gap.consumption_gap_kwh)) as self_sufficiency_ratio_high,
    self_sufficiency_simple(sum_exactly(energy.paired_consumption_kwh), sum_exactly(energy.paired_grid_import_kwh)) as self_sufficiency_simple_ratio,
    max(daily.peak_import_kw) as peak_import_kw,
    arg_max(daily.peak_import_at_local, (round(daily.peak_import_kw, 9), -epoch_us(daily.peak_import_at_utc))) as peak_import_at_local,
    cast(sum(daily.edited_buckets) as bigint) as edited_buckets,
    cast(sum(daily.findings) as bigint) as findings
from wanted
cross join period
left join marts.daily_energy as daily
    on daily.system_id = wanted.system_id and daily.day between period.first_day and period.last_day
left join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
left join staging.day_flow as flow on flow.system_id = daily.system_id and flow.day = daily.day
left join staging.day_gap as gap on gap.system_id = daily.system_id and gap.day = daily.day
left join core.day_energy as energy on energy.system_id = daily.system_id and energy.day = daily.day
group by wanted.part, period.first_day, period.last_day
order by wanted.part nulls last, period.first_day, period.last_day
