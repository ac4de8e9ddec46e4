-- name: checks.reading_key
-- meaning: No day holds two rows of core.reading with the same start.
-- severity: structural
-- local to: system_id, day
-- failing row: a start that stands in more than one row of its day

-- Rows are walked once, each beside its neighbour. A view may show a day in parts, one for each minute of the quarter hour
-- at which readings begin: a part whose rows stand together with rising starts cannot hold a start twice, and starts of
-- different parts differ. Only days of which that is not so are grouped. The order in which the rows are walked decides the
-- cost, never the result.
with
walked as (
    select
        system_id,
        day,
        epoch_us(start_utc) % 900_000_000 as part,
        start_utc > lag(start_utc) over () as is_later,
        system_id is distinct from lag(system_id) over ()
        or day is distinct from lag(day) over ()
        or (epoch_us(start_utc) - lag(epoch_us(start_utc)) over ()) % 900_000_000 <> 0 as is_first
    from core.reading
),

firsts as (
    select system_id, day
    from walked
    where is_first
    group by system_id, day, part
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
