-- name: marts.status
-- meaning: Each system in one line: how far its complete days reach, what the rules found, whether its user must act.
-- grain: one row per system of core.system
-- key: system_id
-- null: newest_complete_day, lag_days: no day is complete; most_frequent_rule: nothing was found; last_*: never asked;
--   relink_reason, missing_scopes: nothing to do; gone_at_utc: it is listed.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   vendor | varchar | - | vendor as Enode spells it
--   newest_complete_day | date | local date | newest day that is complete
--   lag_days | bigint | days | from there to the fleet's newest day that was over at the newest look of all
--   loaded_days | bigint | days | days of the last 30 whose last look ended as loaded
--   findings_30d | bigint | findings | what the rules noticed on the last 30 days
--   most_frequent_rule | varchar | - | the rule that noticed most of it
--   last_outcome | varchar | - | what the newest look at any day or month brought
--   last_detail | varchar | - | one line that says more about it
--   relink_reason | varchar | - | why the user must link the account again
--   missing_scopes | varchar | - | scopes missing on the newest loaded day, with commas between
--   gone_at_utc | timestamp | UTC | when the system was found gone

with
broken as (
    select finding.system_id, finding.rule, count(*) as findings
    from core.finding as finding
    cross join staging.newest_look as newest
    where finding.day between newest.day - 29 and newest.day
    group by finding.system_id, finding.rule
),

found as (
    select
        system_id,
        cast(sum(findings) as bigint) as findings,
        arg_min(rule, (-findings, rule)) as most_frequent_rule
    from broken
    group by system_id
)

select
    health.system_id,
    health.vendor,
    health.newest_complete_day,
    health.lag_days,
    health.loaded_days,
    -- nothing found: here 0 is meant
    coalesce(found.findings, 0) as findings_30d,
    found.most_frequent_rule,
    health.last_outcome,
    health.last_detail,
    health.relink_reason,
    health.missing_scopes,
    health.gone_at_utc
from marts.system_health as health
left join found on found.system_id = health.system_id
