-- What the rules noticed about each of the systems in `wanted` on the days of the range, how often, and an example: newest day first.
select system_id, day, rule, severity, metric, count(*) as findings, min(evidence) as evidence
from core.finding
where system_id in (select system_id from wanted) and day between $start and $end
group by system_id, day, rule, severity, metric
order by system_id, day desc, severity, rule, metric
