-- name: checks.no_home_is_there_twice
-- meaning: No two systems hold the same days, bucket for bucket: sums of the fleet would count that home twice.
-- severity: plausibility
-- failing row: two systems with how many days they share, from when to when

with
-- few, if any; by a number of eight bytes, which tells enough to pass over all others
alike as (
    select day, hash(content_sha256) as content
    from core.load
    where interval_kind = 'day' and content_sha256 is not null
    group by day, hash(content_sha256)
    having count(*) > 1
),

used as (
    select load.system_id, load.day, load.content_sha256
    from core.load as load
    inner join alike on alike.day = load.day and alike.content = hash(load.content_sha256)
    inner join core.day_energy as energy on energy.system_id = load.system_id and energy.day = load.day
    where load.interval_kind = 'day' and (energy.generation_kwh > least_kwh() or energy.consumption_kwh > least_kwh())
)

select
    one.system_id,
    other.system_id as same_as_system_id,
    count(*) as days,
    min(one.day) as first_day,
    max(one.day) as last_day
from used as one
inner join used as other
    on other.day = one.day and other.content_sha256 = one.content_sha256 and other.system_id > one.system_id
group by one.system_id, other.system_id
having count(*) > 1
