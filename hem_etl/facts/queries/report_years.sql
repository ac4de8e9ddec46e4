-- The same homes of `wanted` year over year: each month of the range with the homes that are complete in it and in the same
-- month a year before.
select
    now.month,
    count(*) as systems,
    sum_exactly(now.generation_kwh) as generation_kwh,
    sum_exactly(before.generation_kwh) as generation_kwh_before,
    sum_exactly(now.consumption_kwh) as consumption_kwh,
    sum_exactly(before.consumption_kwh) as consumption_kwh_before,
    sum_exactly(now.grid_import_kwh) as grid_import_kwh,
    sum_exactly(before.grid_import_kwh) as grid_import_kwh_before,
    sum_exactly(now.grid_export_kwh) as grid_export_kwh,
    sum_exactly(before.grid_export_kwh) as grid_export_kwh_before
from marts.monthly_energy as now
semi join wanted on wanted.system_id = now.system_id
inner join marts.monthly_energy as before
    on before.system_id = now.system_id and before.month = cast(now.month - interval 1 year as date)
where now.month between date_trunc('month', $start::date) and $end and now.is_complete and before.is_complete
group by now.month
order by now.month
