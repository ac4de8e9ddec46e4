-- What became of the days of the systems in `wanted`, each alone or by week (from Monday) or month: $unit. Of several days
-- the worst are told, those that somebody can do most about: their kind, how many they are, and of the newest of them why;
-- coverage is of all flows on all of the days. `missing_place`: what report_gaps says of these systems.
with
day as (select unnest(generate_series($start::date, $end::date, interval 1 day))::date as day),

missing as (
    select system_id, day, reason, string_agg(metrics, ', ' order by metrics) as metrics, sum(places) as places
    from missing_place
    where reason <> outcome  -- else the outcome says it
    group by system_id, day, reason
),

told as (
    select
        system_id,
        day,
        string_agg(
            case when $unit = 'day' then concat(reason, ' (', metrics, ')') else reason end, '; ' order by places desc, reason
        ) as reasons
    from missing
    group by system_id, day
),

measured as (
    select
        wanted.system_id,
        day.day,
        daily.outcome,
        spine.detail,
        spine.is_loaded,
        daily.is_complete,
        daily.edited_buckets,
        told.reasons,
        -- a flow that the home lacks has no minutes and none due: 0 is meant, as in a sum that leaves it out
        coalesce(flow.generation_valid_minutes, 0) + coalesce(flow.consumption_valid_minutes, 0) + coalesce(flow.grid_import_valid_minutes, 0)
        + coalesce(flow.grid_export_valid_minutes, 0) + coalesce(flow.battery_charge_valid_minutes, 0) + coalesce(flow.battery_discharge_valid_minutes, 0)
        as valid_minutes,
        coalesce(flow.generation_due_hours, 0) + coalesce(flow.consumption_due_hours, 0) + coalesce(flow.grid_import_due_hours, 0)
        + coalesce(flow.grid_export_due_hours, 0) + coalesce(flow.battery_charge_due_hours, 0) + coalesce(flow.battery_discharge_due_hours, 0)
        as due_hours
    from wanted
    cross join day
    left join marts.daily_energy as daily on daily.system_id = wanted.system_id and daily.day = day.day
    left join staging.day as spine on spine.system_id = wanted.system_id and spine.day = day.day
    left join staging.day_flow as flow on flow.system_id = wanted.system_id and flow.day = day.day
    left join told on told.system_id = wanted.system_id and told.day = day.day
),

-- of a loaded day what it covers, of another why there is nothing
judged as (
    select
        *,
        case
            when outcome is null or outcome = 'not_asked' then 'absent'
            when is_loaded and is_complete then 'complete'
            when is_loaded and valid_minutes = 0 then 'nothing'
            when is_loaded and share_of_time(valid_minutes, due_hours) >= 0.5 then 'partial'
            when is_loaded then 'scant'
            when list_contains($failed, outcome) then 'failed'
            when list_contains($blocked, outcome) then 'blocked'
            when list_contains($final, outcome) then 'none'
            else 'nothing'
        end as kind
    from measured
),

by_kind as (
    select
        system_id,
        date_trunc($unit, day) as span,
        kind,
        min(day) as first_day,
        max(day) as last_day,
        count(*) as days,
        sum(valid_minutes) as valid_minutes,
        sum(due_hours) as due_hours,
        sum(edited_buckets) as edited_buckets,
        arg_max({'outcome': outcome, 'detail': detail, 'reasons': reasons}, day) as newest
    from judged
    group by 1, 2, 3
)

select
    system_id,
    min(first_day) as first_day,
    max(last_day) as last_day,
    cast(sum(days) as bigint) as days,
    cast(sum(case when kind = 'complete' then days else 0 end) as bigint) as complete_days,
    arg_max(kind, worse) as kind,
    arg_max(days, worse) as kind_days,
    arg_max(newest, worse).outcome as outcome,
    arg_max(newest, worse).detail as detail,
    arg_max(newest, worse).reasons as reasons,
    share_of_time(sum(valid_minutes), nullif(sum(due_hours), 0)) as coverage,
    cast(sum(edited_buckets) as bigint) as edited_buckets
from (
    select
        *,
        list_position(['none', 'complete', 'absent', 'partial', 'scant', 'nothing', 'failed', 'blocked'], kind) as worse
    from by_kind
)
group by system_id, span
order by system_id, first_day
