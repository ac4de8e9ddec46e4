-- Devices by kind.
select kind, count(*) as devices
from core.asset
group by kind
order by kind
