-- Of each part of the fleet, by `member` (system_id, part), the newest day, up to $yesterday, that at least half of its
-- present systems, and half of the whole fleet's, were asked for: one that somebody asked one system for is none, nor is
-- one that the part alone was not asked for. A part without such a day has no row.
with
here as (
    select member.part, member.system_id
    from member
    semi join core.system as system on system.system_id = member.system_id and system.gone_at_utc is null
),

size as (select part, count(*) as systems from here group by part),

asked as (
    select here.part, load.day, count(*) as systems, sum(count(*)) over (partition by load.day) as systems_of_fleet
    from core.load as load
    join here on here.system_id = load.system_id
    where load.interval_kind = 'day' and load.day <= $yesterday
    group by here.part, load.day
)

select asked.part, max(asked.day) as day
from asked
join size on size.part = asked.part
where 2 * asked.systems >= size.systems and 2 * asked.systems_of_fleet >= (select count(*) from here)
group by asked.part
