-- What the rules noticed about one home on the days of the range, how often, and an example: newest day first.
select day, rule, severity, metric, count(*) as findings, any_value(evidence) as evidence
from core.finding
where system_id = $system_id and day between $start and $end
group by day, rule, severity, metric
order by day desc, severity, rule, metric
