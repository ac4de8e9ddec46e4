-- name: staging.series_month
-- meaning: How many days and buckets the days that were read whole bring to each month, by what became of the series.
-- grain: system × month × metric × whether, why not and how finely the series was there
-- key: system_id, month, metric, is_available, absence, resolution_minutes
-- null: vendor: no list ever showed the system; absence: the series was available; resolution_minutes: it was not, or brought nothing.
-- materialized: table
-- rebuilt by: system_id, month
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   month | date | local date | first day of the month
--   vendor | varchar | - | vendor as Enode spells it
--   metric | varchar | - | one of the six flows or soc
--   is_available | boolean | - | as core.series says it
--   absence | varchar | - | as core.series says it
--   resolution_minutes | integer | min | as core.series says it
--   days | bigint | days | days of the month with such a series
--   watched_days | bigint | days | of these, days that were answered again after they were over
--   expected_buckets | bigint | buckets | sum over these days
--   null_buckets | bigint | buckets | sum over these days
--   missing_buckets | bigint | buckets | sum over these days
--   duplicate_buckets | bigint | buckets | sum over these days
--   off_grid_buckets | bigint | buckets | sum over these days
--   offset_mismatch_buckets | bigint | buckets | sum over these days

select
    series.system_id,
    cast(date_trunc('month', series.day) as date) as month,
    read_day.vendor,
    series.metric,
    series.is_available,
    series.absence,
    series.resolution_minutes,
    count(*) as days,
    count(*) filter (where read_day.is_watched) as watched_days,
    sum(series.expected_buckets)::bigint as expected_buckets,
    sum(series.null_buckets)::bigint as null_buckets,
    sum(series.missing_buckets)::bigint as missing_buckets,
    sum(series.duplicate_buckets)::bigint as duplicate_buckets,
    sum(series.off_grid_buckets)::bigint as off_grid_buckets,
    sum(series.offset_mismatch_buckets)::bigint as offset_mismatch_buckets
from core.series as series
inner join staging.day_behaviour as read_day on read_day.system_id = series.system_id and read_day.day = series.day
where series.is_known and read_day.is_read
group by
    series.system_id,
    cast(date_trunc('month', series.day) as date),
    read_day.vendor,
    series.metric,
    series.is_available,
    series.absence,
    series.resolution_minutes
