-- What the rules found in the day and in its month.
select interval, metric, rule, severity, evidence, found_at_utc
from core.finding
where system_id = $system_id and interval in ($interval, $month)
order by metric nulls first, rule, found_at_utc
