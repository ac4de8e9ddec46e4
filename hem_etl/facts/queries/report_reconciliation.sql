-- Per part and flow of the systems in `wanted` (system_id, part): how the energy we integrate compares with what the vendor reports.
select
    wanted.part,
    compared.flow,
    count(distinct compared.system_id) as systems,
    count(*) as days,
    count(*) filter (where compared.status = 'match') as match_days,
    count(*) filter (where compared.status = 'explained_by_coverage') as explained_days,
    count(*) filter (where compared.status = 'mismatch') as mismatch_days,
    count(*) filter (where compared.status = 'reported_missing') as reported_missing_days,
    count(*) filter (where compared.status = 'integrated_missing') as integrated_missing_days,
    count(compared.difference_kwh) as compared_days,
    sum_exactly(case when compared.difference_kwh is not null then compared.integrated_kwh end) as integrated_kwh,
    sum_exactly(case when compared.difference_kwh is not null then compared.reported_kwh end) as reported_kwh
from marts.reconciliation as compared
inner join wanted on wanted.system_id = compared.system_id
where compared.day between $start and $end
group by wanted.part, compared.flow
order by
    wanted.part nulls last,
    list_position(
        ['generation', 'consumption', 'grid_import', 'grid_export', 'battery_charge', 'battery_discharge'], compared.flow
    )
