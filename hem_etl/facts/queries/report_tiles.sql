-- The systems in `wanted` on the day $end and seven days before it: what an operator asks first.
with
moment as (
    select $end::date as day, true as is_now
    union all
    select $end::date - 7, false
),

day as (
    select
        spine.system_id,
        spine.day,
        spine.outcome,
        spine.is_expected,
        daily.is_complete,
        flow.generation_valid_minutes,
        flow.generation_due_hours,
        flow.consumption_valid_minutes,
        flow.consumption_due_hours
    from staging.day as spine
    semi join wanted on wanted.system_id = spine.system_id
    inner join staging.day_flow as flow on flow.system_id = spine.system_id and flow.day = spine.day
    inner join marts.daily_energy as daily on daily.system_id = spine.system_id and daily.day = spine.day
    where spine.day <= $end
),

-- never complete: no day, and the home counts as behind
newest as (
    select moment.is_now, moment.day, day.system_id, max(day.day) filter (where day.is_complete) as complete_day
    from moment
    inner join day on day.day <= moment.day and day.outcome <> 'not_asked'
    group by moment.is_now, moment.day, day.system_id
    having bool_or(day.is_expected) and arg_max(day.outcome, day.day) <> 'gone'
),

behind as (
    select
        is_now,
        count(*) as homes,
        count(*) filter (where complete_day is null or day - complete_day > 3) as behind_homes
    from newest
    group by is_now
),

coverage as (
    select
        moment.is_now,
        count(*) filter (where day.is_expected) as expected_homes,
        count(*) filter (where day.is_expected and day.is_complete) as complete_homes,
        count(*) filter (where list_contains($blocked, day.outcome)) as blocked_homes,
        share_of_time(sum(day.generation_valid_minutes), sum(day.generation_due_hours)) as generation_coverage,
        share_of_time(sum(day.consumption_valid_minutes), sum(day.consumption_due_hours)) as consumption_coverage
    from moment
    inner join day on day.day = moment.day
    group by moment.is_now
    having bool_or(day.outcome <> 'not_asked')  -- else nobody looked, which is no change
),

failed as (
    select
        moment.is_now,
        count(*) filter (where day.is_expected) as week_days,
        count(*) filter (where day.outcome in ('unreachable', 'unreadable', 'refused')) as failed_days
    from moment
    inner join day on day.day between moment.day - 6 and moment.day and day.outcome <> 'not_asked'
    group by moment.is_now
),

looked as (select max(fetched_at_utc) as at_utc from core.load),

restated as (
    select
        count(*) filter (where change.fetched_at_utc > looked.at_utc - interval 7 days) as now,
        count(*) filter (
            where
                change.fetched_at_utc <= looked.at_utc - interval 7 days
                and change.fetched_at_utc > looked.at_utc - interval 14 days
        ) as before
    from marts.restatement as change
    semi join wanted on wanted.system_id = change.system_id
    cross join looked
    where change.hours_after_day_end > 0 and change.cause = 'answer'
),

gap as (
    select reason, count(distinct gaps.system_id) as homes
    from marts.gaps as gaps
    inner join day on day.system_id = gaps.system_id and day.day = gaps.day
    where gaps.day = $end and day.is_expected and not coalesce(day.is_complete, false)
    group by reason
),

why as (select string_agg(concat(reason, ' ', homes), ', ' order by homes desc, reason) as reasons from gap)

select
    moment.day,
    moment.is_now,
    coverage.expected_homes,
    coverage.complete_homes,
    coverage.blocked_homes,
    coverage.generation_coverage,
    coverage.consumption_coverage,
    behind.homes,
    behind.behind_homes,
    failed.week_days,
    failed.failed_days,
    case when moment.is_now then restated.now else restated.before end as restatements,
    case when moment.is_now then why.reasons end as reasons
from moment
left join coverage on coverage.is_now = moment.is_now
left join behind on behind.is_now = moment.is_now
left join failed on failed.is_now = moment.is_now
cross join restated
cross join why
order by moment.is_now desc
