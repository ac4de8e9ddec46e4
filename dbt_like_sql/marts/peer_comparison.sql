-- name: marts.peer_comparison
-- meaning: A hint at homes whose generation falls behind: each home against the homes of the same vendor and time zone on the
--   same days, and that ratio now against the home's own past. Weather moves all of them alike, so it cancels out.
-- grain: one row per system with days to compare
-- key: system_id
-- null: vendor: no list ever showed the system; recent_ratio, past_ratio: no day to compare in these weeks; change_ratio, is_behind: fewer
--   than ten days in one of the two.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone of the days: the region
--   peers | bigint | systems | fewest other homes that stood behind a median
--   recent_days | bigint | days | days compared of the newest 28 that are over
--   past_days | bigint | days | days compared of the 84 before them
--   recent_ratio | double | ratio | median over recent_days of the home's generation ÷ the median of its group
--   past_ratio | double | ratio | the same over past_days
--   change_ratio | double | ratio | recent_ratio ÷ past_ratio: 1 where nothing changed
--   is_behind | boolean | - | change_ratio is below 0.8: worth a look at the home, no proof

with
-- only days that the flow covers almost whole: a gap must not look like a weak roof
generating as (
    select
        daily.system_id,
        daily.vendor,
        daily.timezone,
        daily.day,
        daily.generation_kwh,
        daily.day > newest.day - 28 as is_recent,
        count(*) over peers - 1 as peers,
        median(daily.generation_kwh) over peers as group_kwh
    from marts.daily_energy as daily
    cross join staging.newest_look as newest
    where daily.day > newest.day - 112 and daily.day <= newest.day and daily.generation_coverage >= 0.98
    window peers as (partition by daily.vendor, daily.timezone, daily.day)
),

-- below 0.5 kWh the ratio would tell rounding and snow
compared as (
    select system_id, vendor, timezone, day, is_recent, peers, generation_kwh / group_kwh as of_group
    from generating
    where peers >= 3 and group_kwh > 0.5
),

home as (
    select
        system_id,
        arg_max(vendor, day) as vendor,
        arg_max(timezone, day) as timezone,
        min(peers) as peers,
        count(*) filter (where is_recent) as recent_days,
        count(*) filter (where not is_recent) as past_days,
        median(of_group) filter (where is_recent) as recent_ratio,
        median(of_group) filter (where not is_recent) as past_ratio
    from compared
    group by system_id
)

select
    system_id,
    vendor,
    timezone,
    peers,
    recent_days,
    past_days,
    recent_ratio,
    past_ratio,
    case when recent_days >= 10 and past_days >= 10 and past_ratio > 0 then recent_ratio / past_ratio end as change_ratio,
    case when recent_days >= 10 and past_days >= 10 and past_ratio > 0 then recent_ratio / past_ratio < 0.8 end as is_behind
from home
