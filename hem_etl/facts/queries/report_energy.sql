-- Energy of the systems in `wanted` by $unit (day, month), beside how much of them it covers; on all systems, by day, the
-- same as marts.fleet_daily.
select
    cast(date_trunc($unit, daily.day) as date) as day,
    count(distinct daily.system_id) filter (where spine.is_expected) as systems,
    sum_exactly(daily.generation_kwh) as generation_kwh,
    sum_exactly(daily.consumption_kwh) as consumption_kwh,
    sum_exactly(daily.grid_import_kwh) as grid_import_kwh,
    sum_exactly(daily.grid_export_kwh) as grid_export_kwh,
    sum_exactly(daily.battery_charge_kwh) as battery_charge_kwh,
    sum_exactly(daily.battery_discharge_kwh) as battery_discharge_kwh,
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
    share_of_time(sum(flow.battery_discharge_valid_minutes), sum(flow.battery_discharge_due_hours)) as battery_discharge_coverage
from marts.daily_energy as daily
semi join wanted on wanted.system_id = daily.system_id
inner join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
inner join staging.day_flow as flow on flow.system_id = daily.system_id and flow.day = daily.day
where daily.day between $start and $end
group by 1
order by 1
