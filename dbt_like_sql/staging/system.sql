-- name: staging.system
-- meaning: Every system that is known or was ever asked, with the zone that stands in where a day has none of its own.
-- grain: one row per system
-- key: system_id
-- null: vendor, user_id: no list ever showed the system; timezone: stated nowhere, and nothing was loaded;
--   battery_capacity_kwh: the capacity of one of its batteries, or whether it has any, is not known.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   user_id | varchar | - | your own id of the user who linked the account
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone of the system's object, else of its newest loaded day, else of its newest loaded month
--   battery_capacity_kwh | double | kWh | usable capacity of all its batteries together

with
known as (
    select system_id from core.system
    union
    select system_id from core.load
    union
    select system_id from core.reported_day
),

-- a month stands at its first day: it never decides where a day is known
zone_of_newest as (
    select system_id, arg_max(timezone, (interval_kind = 'day', day)) as timezone
    from core.load
    where timezone is not null
    group by system_id
),

battery as (
    select system_id, case when count(*) = count(capacity_kwh) then sum(capacity_kwh) end as capacity_kwh
    from core.asset
    where kind = 'battery'
    group by system_id
)

select
    known.system_id,
    system.user_id,
    system.vendor,
    coalesce(system.timezone, zone_of_newest.timezone) as timezone,
    battery.capacity_kwh as battery_capacity_kwh
from known
left join core.system as system on system.system_id = known.system_id
left join zone_of_newest on zone_of_newest.system_id = known.system_id
left join battery on battery.system_id = known.system_id
