-- name: marts.relink
-- meaning: Users who must link an account again, because their vendor no longer accepts their credentials or a scope is
--   missing: why, since when, what it has cost so far. Who linked again leaves it with the first good answer.
-- grain: user × vendor
-- key: user_id, vendor
-- null: user_id, vendor: stated nowhere; missing_scopes: none is missing; since_day, lost_days: no day was lost yet;
--   announced_at_utc: no webhook said so.
-- columns:
--   user_id | varchar | - | your own id of the user
--   vendor | varchar | - | vendor of the account
--   systems | bigint | systems | systems behind it
--   system_ids | varchar | - | their ids, with commas between
--   reason | varchar | - | why
--   missing_scopes | varchar | - | scopes missing on the newest loaded days, with commas between
--   since_day | date | local date | first day that was refused
--   lost_days | bigint | days | system-days that were refused so far
--   announced_at_utc | timestamp | UTC | when a webhook last said that the credentials are invalid

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

concerned as (
    select
        health.system_id,
        health.user_id,
        health.vendor,
        coalesce(health.relink_reason, 'a webhook says that the credentials are invalid: no look has confirmed it yet') as reason,
        health.missing_scopes,
        lost.since_day,
        lost.days as lost_days,
        invalidated.at_utc as announced_at_utc
    from marts.system_health as health
    left join invalidated on invalidated.user_id = health.user_id
    left join lost on lost.system_id = health.system_id
    left join answered on answered.system_id = health.system_id
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
    min(since_day) as since_day,
    cast(sum(lost_days) as bigint) as lost_days,
    max(announced_at_utc) as announced_at_utc
from concerned
group by user_id, vendor
