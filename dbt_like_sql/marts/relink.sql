-- name: marts.relink
-- meaning: Users who must link an account again, because their vendor no longer accepts their credentials or a scope is
--   missing: why, since when, what it has cost so far. Who linked again leaves it with the first good answer.
-- grain: user × vendor
-- key: user_id, vendor
-- null: user_id, vendor: stated nowhere; missing_scopes: none is missing; since_day, lost_days: no day was lost yet;
--   refused_at_utc: no look was refused because the credentials are invalid; announced_at_utc: no webhook said so;
--   asset_id: a scope is missing, or no device of these systems is called unreachable.
-- columns:
--   user_id | varchar | - | your own id of the user
--   vendor | varchar | - | vendor of the account
--   systems | bigint | systems | systems behind it
--   system_ids | varchar | - | their ids, with commas between
--   reason | varchar | - | why
--   missing_scopes | varchar | - | scopes missing on the newest loaded days, with commas between
--   refused_at_utc | timestamp | UTC | first look that was refused because the credentials are invalid
--   since_day | date | local date | first day that was refused
--   lost_days | bigint | days | system-days that were refused so far
--   announced_at_utc | timestamp | UTC | when a webhook last said that the credentials are invalid
--   asset_id | varchar | - | a device of these systems that Enode called unreachable when it was last listed: its account can be linked again by it

with
invalidated as (
    select user_id, max(received_at_utc) as at_utc
    from core.event
    where event = 'user:credentials:invalidated' and duplicate_of is null and user_id is not null
    group by user_id
),

lost as (
    select system_id, min(day) as since_day, count(*) as days
    from core.load
    where interval_kind = 'day' and outcome = 'relink_needed'
    group by system_id
),

answered as (
    select system_id, max(answered_at_utc) as at_utc
    from core.load
    group by system_id
),

-- Enode tells of a user whose credentials died, not which; a session for one device asks for no scope
unreachable as (
    select system_id, min(asset_id) as asset_id
    from core.asset
    where gone_at_utc is null and not is_reachable
    group by system_id
),

refused as (
    select system_id, refused_at_utc
    from marts.relink_history
    where linked_at_utc is null
),

concerned as (
    select
        health.system_id,
        health.user_id,
        health.vendor,
        coalesce(health.relink_reason, 'a webhook says that the credentials are invalid: no look has confirmed it yet') as reason,
        health.missing_scopes,
        refused.refused_at_utc,
        lost.since_day,
        lost.days as lost_days,
        invalidated.at_utc as announced_at_utc,
        unreachable.asset_id
    from marts.system_health as health
    left join invalidated on invalidated.user_id = health.user_id
    left join lost on lost.system_id = health.system_id
    left join refused on refused.system_id = health.system_id
    left join answered on answered.system_id = health.system_id
    left join unreachable on unreachable.system_id = health.system_id
    where
        health.gone_at_utc is null
        and (health.needs_relink or invalidated.at_utc > coalesce(answered.at_utc, timestamp '-infinity'))
)

select
    user_id,
    vendor,
    count(*) as systems,
    string_agg(system_id, ', ' order by system_id) as system_ids,
    string_agg(distinct reason, '; ' order by reason) as reason,
    string_agg(distinct missing_scopes, ', ' order by missing_scopes) as missing_scopes,
    min(refused_at_utc) as refused_at_utc,
    min(since_day) as since_day,
    cast(sum(lost_days) as bigint) as lost_days,
    max(announced_at_utc) as announced_at_utc,
    case when count(missing_scopes) = 0 then min(asset_id) end as asset_id
from concerned
group by user_id, vendor
