-- What the days in `wanted` (system_id, day) came to: buckets, coverage, energy, whose they are.
select
    series.system_id,
    series.day,
    sum(series.sent_buckets)::bigint as values_sent,
    sum(series.valid_buckets)::bigint as values_valid,
    sum(series.null_buckets)::bigint as values_null,
    sum(series.valid_buckets) / nullif(sum(series.expected_buckets), 0) as coverage,
    any_value(daily.vendor) as vendor,
    any_value(daily.user_id) as user_id,
    round(any_value(daily.generation_kwh), 3) as generation_kwh,
    round(any_value(daily.consumption_kwh), 3) as consumption_kwh
from core.series as series
semi join wanted on wanted.system_id = series.system_id and wanted.day = series.day
left join marts.daily_energy as daily on daily.system_id = series.system_id and daily.day = series.day
group by all
