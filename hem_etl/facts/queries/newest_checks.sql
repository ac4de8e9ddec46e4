-- What each check found when it ran last.
select check_name, severity, failing_rows, sample, scope
from core.check_result
qualify row_number() over (partition by check_name order by at_utc desc) = 1
order by check_name
