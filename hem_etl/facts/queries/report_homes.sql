-- The systems in `wanted`: how each does (marts.system_health), and how much of the range is there. Worst first: those whose
-- complete days end longest ago, then those that cover least.
with
device as (
    select system_id, string_agg(concat_ws(' ', kind, brand, model), ', ' order by asset_id) as devices
    from core.asset
    group by system_id
),

day as (
    select
        daily.system_id,
        count(*) filter (where spine.is_expected) as expected_days,
        count(*) filter (where spine.is_expected and daily.is_complete) as complete_days,
        count(*) filter (where spine.is_loaded) as loaded_days,
        min(daily.day) filter (where spine.is_loaded) as first_loaded_day
    from marts.daily_energy as daily
    inner join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
    where daily.day between $start and $end
    group by daily.system_id
)

select
    system.system_id,
    system.user_id,
    system.vendor,
    system.timezone,
    system.battery_capacity_kwh,
    device.devices,
    health.newest_complete_day,
    health.lag_days,
    health.last_outcome,
    health.last_detail,
    health.relink_reason,
    health.missing_scopes,
    health.is_reachable,
    health.gone_at_utc,
    health.settled_days,
    health.settle_hours_median,
    health.settle_hours_p95,
    day.expected_days,
    day.complete_days,
    day.loaded_days,
    day.first_loaded_day,
    day.complete_days / nullif(day.expected_days, 0) as complete_days_ratio
from staging.system as system
semi join wanted on wanted.system_id = system.system_id
left join marts.system_health as health on health.system_id = system.system_id
left join device on device.system_id = system.system_id
left join day on day.system_id = system.system_id
order by
    health.gone_at_utc is not null,
    health.lag_days desc nulls first,
    complete_days_ratio nulls first,
    system.system_id
