-- The load profile of one home over the range: consumption on quarter hours that it covers whole, by hour of the wall clock.
select
    isodow(day) > 5 as is_weekend,
    cast(hour(start_local) as integer) as hour,
    count(*) as quarters,
    quantile_cont(consumption_kw, 0.1) as p10_kw,
    quantile_cont(consumption_kw, 0.5) as median_kw,
    quantile_cont(consumption_kw, 0.9) as p90_kw
from marts.interval_15min
where system_id = $system_id and day between $start and $end and consumption_minutes = 15 and start_local is not null
group by 1, 2
order by 1, 2
