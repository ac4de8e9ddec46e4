-- name: staging.day_soc
-- meaning: First, last, lowest and highest state of charge of each day, from the native readings.
-- grain: system × local day with at least one state of charge
-- key: system_id, day
-- null: never; a day without a state of charge has no row.
-- materialized: table
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   soc_first_pct | double | % | first state of charge of the day
--   soc_last_pct | double | % | last state of charge of the day
--   soc_min_pct | double | % | lowest state of charge of the day
--   soc_max_pct | double | % | highest state of charge of the day

select
    system_id,
    day,
    arg_min(soc_pct, start_utc) as soc_first_pct,
    arg_max(soc_pct, start_utc) as soc_last_pct,
    min(soc_pct) as soc_min_pct,
    max(soc_pct) as soc_max_pct
from core.reading
where soc_pct is not null
group by system_id, day
