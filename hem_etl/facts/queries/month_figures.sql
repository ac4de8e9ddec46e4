-- What the vendors themselves report of the months in `wanted` (system_id, label).
select
    reported.system_id,
    strftime(reported.day, '%Y-%m') as label,
    count(*) as reported_days,
    round(sum(reported.generation_kwh), 3) as generation_kwh,
    round(sum(reported.consumption_kwh), 3) as consumption_kwh
from core.reported_day as reported
semi join wanted on wanted.system_id = reported.system_id and wanted.label = strftime(reported.day, '%Y-%m')
group by all
