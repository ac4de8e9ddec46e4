-- name: marts.relink_history
-- meaning: When a user's credentials were invalid for a system, and how long it took until the user had linked again: from
--   the first look that was refused for that reason to the first that was answered. Known as exactly as looks are frequent.
-- grain: system × time in which every look that told was refused because the user must link again
-- key: system_id, refused_at_utc
-- null: user_id, vendor: stated nowhere; linked_at_utc, relink_hours: no look was answered since.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   user_id | varchar | - | your own id of the user, as it was known when it began
--   vendor | varchar | - | vendor of the account, as it was known when it began
--   refused_at_utc | timestamp | UTC | first look that was refused
--   linked_at_utc | timestamp | UTC | first look after it that was answered
--   relink_hours | double | h | from the one to the other

with
told as (
    select
        system_id,
        user_id,
        vendor,
        valid_from_utc,
        coalesce(has_invalid_credentials, false) as is_refused,
        lag(coalesce(has_invalid_credentials, false), 1, false) over (partition by system_id order by valid_from_utc) as was_refused
    from core.system_history
),

-- a row of history that began for another reason goes on with what it was before
turned as (
    select
        system_id,
        user_id,
        vendor,
        is_refused,
        valid_from_utc as at_utc,
        lead(valid_from_utc) over (partition by system_id order by valid_from_utc) as ended_at_utc
    from told
    where is_refused <> was_refused
)

select
    system_id,
    user_id,
    vendor,
    at_utc as refused_at_utc,
    ended_at_utc as linked_at_utc,
    epoch(ended_at_utc - at_utc) / 3600 as relink_hours
from turned
where is_refused
