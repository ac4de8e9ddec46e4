-- name: checks.every_user_is_linked
-- meaning: No user has to link again.
-- severity: plausibility
-- failing row: a system whose user has to, with the reason

select system_id, user_id, vendor, relink_reason
from marts.system_health
where needs_relink
