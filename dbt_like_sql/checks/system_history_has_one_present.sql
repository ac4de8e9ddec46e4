-- name: checks.system_history_has_one_present
-- meaning: A system has at most one row in core.system_history that is valid now, and no period ends before it
--   begins.
-- severity: structural
-- failing row: a system with the number of present and of reversed periods

select
    system_id,
    count(*) filter (where valid_to_utc is null) as present_rows,
    count(*) filter (where valid_to_utc < valid_from_utc) as reversed_rows
from core.system_history
group by system_id
having count(*) filter (where valid_to_utc is null) > 1 or count(*) filter (where valid_to_utc < valid_from_utc) > 0
