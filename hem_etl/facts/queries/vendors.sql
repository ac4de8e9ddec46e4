-- Each vendor's systems, those that are gone, and their zones.
select vendor, count(*) as systems, count(gone_at_utc) as gone, string_agg(distinct timezone, ', ') as zones
from core.system
group by vendor
order by vendor
