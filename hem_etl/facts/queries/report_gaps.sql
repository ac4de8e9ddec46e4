-- What each of the systems in `wanted` lacks on the days of the range, and why: newest day first, the same line of several metrics once.
select
    system_id,
    day,
    reason,
    outcome,
    string_agg(metric, ', ' order by metric) as metrics,
    count(*) as places,
    explanation
from marts.gaps
where system_id in (select system_id from wanted) and day between $start and $end
group by system_id, day, reason, outcome, explanation
order by system_id, day desc, reason, metrics
