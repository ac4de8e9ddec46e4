-- Our sums beside the vendor's own number.
select flow, integrated_kwh, reported_kwh, difference_kwh, difference_ratio, status
from marts.reconciliation
where system_id = $system_id and day = $day
