-- name: checks.reading_key
-- meaning: No day holds two rows of core.reading with the same start.
-- severity: structural
-- local to: system_id, day
-- failing row: a start that stands in more than one row of its day

-- Rows are walked once, each beside its neighbour, in runs: rows of one day with rising starts. A run cannot hold a start
-- twice. Nor can two whose readings begin at another minute of the quarter hour each, as the view shows them that it makes
-- of three in a row. Only days of which that is not so are grouped. The order in which the rows are walked decides the cost,
-- never the result.
with
walked as (
    select
        system_id,
        day,
        epoch_us(start_utc) % 900_000_000 as phase,
        (epoch_us(start_utc) - lag(epoch_us(start_utc)) over ()) % 900_000_000 <> 0 as is_of_another_phase,
        not coalesce(
            system_id = lag(system_id) over () and day = lag(day) over () and start_utc > lag(start_utc) over (), false
        ) as begins_run
    from core.reading
),

doubtful as (
    select system_id, day
    from walked
    where begins_run or is_of_another_phase
    group by system_id, day
    having
        count(*) filter (begins_run) > 1
        and (
            bool_or(not begins_run)  -- a run of several phases
            or count(*) filter (begins_run) > count(distinct phase) filter (begins_run)
        )
)

select held.system_id, held.day, held.start_utc, count(*) as copies
from core.reading as held
inner join doubtful on doubtful.system_id = held.system_id and doubtful.day = held.day
group by held.system_id, held.day, held.start_utc
having count(*) > 1
