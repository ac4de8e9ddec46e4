-- name: checks.assets_agree_on_vendor
-- meaning: The devices of a system name one vendor, and the one that its own object states.
-- severity: plausibility
-- failing row: a system with the vendors that are named for it

with
named as (
    select system_id, vendor from core.asset
    union
    select system_id, vendor from core.system where vendor_source = 'list'
)

select
    named.system_id,
    any_value(system.vendor) as vendor_taken,
    string_agg(named.vendor, ', ' order by named.vendor) as vendors_named
from named
left join core.system as system on system.system_id = named.system_id
where named.vendor is not null
group by named.system_id
having count(*) > 1
