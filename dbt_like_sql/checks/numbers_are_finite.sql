-- name: checks.numbers_are_finite
-- meaning: No table holds NaN or infinity.
-- severity: structural
-- local to: system_id, day
-- failing row: a column of a table and day that does, with the system where the table is small

-- Every column but the named ones is looked at, so that no new one is forgotten. A sum is NaN or infinite as soon as one
-- of its values is: one sum a day and column tells it fastest where there are many rows.
with
reading as (
    select day, sum(columns(* exclude (system_id, day, start_utc, start_local, utc_offset_minutes)))
    from core.reading
    group by day
),

interval_15min as (
    select day, sum(columns(* exclude (system_id, day, start_utc, start_local, utc_offset_minutes)))
    from core.interval_15min
    group by day
),

reported_day as (
    select * exclude (fetched_at_utc)
    from core.reported_day
),

day_version as (
    select * exclude (version, payload_sha256, content_sha256, fetched_at_utc, cause, applied, was_settled)
    from core.day_version
),

day_energy as (
    select * exclude (grid_import_peak_at_utc, grid_import_peak_at_local)
    from core.day_energy
)

select 'core.reading' as relation, null::varchar as system_id, day, column_name
from reading unpivot (number for column_name in (columns(* exclude (day))))
where not isfinite(number)
union all
select 'core.interval_15min' as relation, null::varchar as system_id, day, column_name
from interval_15min unpivot (number for column_name in (columns(* exclude (day))))
where not isfinite(number)
union all
select 'core.reported_day' as relation, system_id, day, column_name
from reported_day unpivot (number for column_name in (columns(* exclude (system_id, day))))
where not isfinite(number)
union all
select 'core.day_version' as relation, system_id, day, column_name
from day_version unpivot (number for column_name in (columns(* exclude (system_id, day))))
where not isfinite(number)
union all
select 'core.day_energy' as relation, system_id, day, column_name
from day_energy unpivot (number for column_name in (columns(* exclude (system_id, day))))
where not isfinite(number)
