-- What one home lacks on the days of the range, and why: newest day first, the same line of several metrics once.
select
    day,
    reason,
    string_agg(metric, ', ' order by metric) as metrics,
    explanation
from marts.gaps
where system_id = $system_id and day between $start and $end
group by day, reason, explanation
order by day desc, reason, metrics
