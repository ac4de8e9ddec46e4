-- name: checks.reading_key
-- meaning: No day holds two rows of core.reading with the same start.
-- severity: structural
-- local to: system_id, day
-- failing row: a start that stands in more than one row of its day

-- Rows are walked once, each beside its neighbour: a day whose rows stand together with rising starts cannot hold a start
-- twice. Only the other days are grouped. The order in which the rows are walked decides the cost, never the result.
with
walked as (
    select
        system_id,
        day,
        system_id is distinct from lag(system_id) over () or day is distinct from lag(day) over () as is_first,
        start_utc > lag(start_utc) over () as is_later
    from core.reading
),

firsts as (
    select system_id, day
    from walked
    where is_first
    group by system_id, day
    having count(*) > 1
),

doubtful as (
    select system_id, day from firsts
    union
    select system_id, day from walked where not is_first and not is_later
)

select held.system_id, held.day, held.start_utc, count(*) as copies
from core.reading as held
inner join doubtful on doubtful.system_id = held.system_id and doubtful.day = held.day
group by held.system_id, held.day, held.start_utc
having count(*) > 1
