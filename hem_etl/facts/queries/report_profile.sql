-- The load profile of each of the systems in `wanted` over the range: consumption on quarter hours that it covers whole, by
-- hour of the wall clock.
select
    system_id,
    isodow(day) > 5 as is_weekend,
    cast(hour(start_local) as integer) as hour,
    count(*) as quarters,
    quantile_cont(consumption_kw, 0.1) as p10_kw,
    quantile_cont(consumption_kw, 0.5) as median_kw,
    quantile_cont(consumption_kw, 0.9) as p90_kw
from marts.interval_15min
where
    system_id in (select system_id from wanted) and day between $start and $end
    and consumption_minutes = 15 and start_local is not null
group by 1, 2, 3
order by 1, 2, 3
