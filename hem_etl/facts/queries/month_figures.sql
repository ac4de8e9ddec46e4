-- What the vendors themselves report of the months in `wanted` (system_id, day: the month's first).
select
    reported.system_id,
    date_trunc('month', reported.day)::date as day,
    count(*) as reported_days,
    round(sum(reported.generation_kwh), 3) as generation_kwh,
    round(sum(reported.consumption_kwh), 3) as consumption_kwh
from core.reported_day as reported
semi join wanted on wanted.system_id = reported.system_id and wanted.day = date_trunc('month', reported.day)
group by reported.system_id, date_trunc('month', reported.day)
