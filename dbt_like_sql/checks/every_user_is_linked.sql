-- name: checks.every_user_is_linked
-- meaning: Every system's user is linked.
-- severity: plausibility
-- failing row: a system whose user has to link again, with the reason

select system_id, user_id, vendor, relink_reason
from marts.system_health
where needs_relink
