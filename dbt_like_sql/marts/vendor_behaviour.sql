-- name: marts.vendor_behaviour
-- meaning: What each vendor does to data, measured on its own days: gaps, restatements, agreement with its own reports, and
--   which end of a bucket its stamps name. What was corrected by hand (core.override) is no behaviour and left out.
-- grain: vendor with at least one read day × metric: the six flows and soc
-- key: vendor, metric
-- null: vendor: no list ever showed these systems; every ratio: there is nothing to divide by; resolution_minutes: the series
--   was never available; unavailable_absence: it always was; restat*: soc, whose values no version keeps, and (hours) no
--   restatement seen; integrated_to_reported_*: no day to compare; reported_step_kwh: nothing reported, or soc;
--   night_generation_ratio: other metrics than generation; label_*: other metrics than consumption.
-- materialized: table
-- columns:
--   vendor | varchar | - | vendor as Enode spells it
--   metric | varchar | - | one of the six flows or soc
--   systems | bigint | systems | systems that had the series on at least one read day
--   read_days | bigint | days | system-days of the vendor that were over when their newest answer came; all else is about these
--   days | bigint | days | of these, days on which the series was available
--   unavailable_ratio | double | 0–1 | read days without the series ÷ read days
--   unavailable_absence | varchar | - | the most frequent reason's drawer of these: no_data, missing_scope, unsupported, before_installation, not_sent, other
--   resolution_minutes | integer | min | the most frequent length of a bucket
--   other_resolution_days | bigint | days | days with buckets of another length
--   expected_buckets | bigint | buckets | buckets of the local days with the series: what the next five shares are shares of
--   null_ratio | double | 0–1 | buckets sent without a value ÷ expected_buckets
--   missing_ratio | double | 0–1 | buckets not sent ÷ expected_buckets
--   duplicate_ratio | double | ratio | points beyond the first of the same instant ÷ expected_buckets
--   off_grid_ratio | double | ratio | points off the series' grid ÷ expected_buckets
--   offset_mismatch_ratio | double | ratio | points whose offset is not the zone's ÷ expected_buckets
--   watched_days | bigint | days | days with the series that were answered again after a first answer to the whole day: only these can show a restatement
--   restated_days | bigint | days | of these, days of which a later answer changed the energy or coverage of this flow
--   restated_ratio | double | 0–1 | restated_days ÷ watched_days
--   restatement_hours_p50 | double | h | median time from the local end of the day until we saw such a change; how often we look is part of it
--   restatement_hours_p95 | double | h | 95th percentile of that time
--   restatement_hours_max | double | h | longest such time
--   compared_days | bigint | days | days that the flow covers whole and for which the vendor reports at least 1 kWh
--   integrated_to_reported_ratio_p05 | double | ratio | 5th percentile of integrated ÷ reported energy over compared_days
--   integrated_to_reported_ratio_p50 | double | ratio | median of the same
--   integrated_to_reported_ratio_p95 | double | ratio | 95th percentile of the same
--   reported_step_kwh | double | kWh | what the reported values are rounded to, as seen: 1, 0.1, 0.01 or 0.001 (also where finer)
--   night_generation_ratio | double | 0–1 | days with a finding of the rule night_generation ÷ days
--   label_start_days | bigint | days | days whose reported consumption fits better when a stamp names the start of its bucket
--   label_end_days | bigint | days | days whose reported consumption fits better when a stamp names the end of its bucket
--   label_undecided_days | bigint | days | days that cannot tell: the two differ by no more than reported_step_kwh, not every bucket is valid, nothing is reported, or the next day's first bucket is not known

-- formulas: coverage, reconciliation day–month, absences
-- Stamps that name ends put the day's last bucket into the next day: the true day is then
-- Σ(day) − first bucket of the day + first bucket of the next day.
with
metric as (
    select known.metric
    from (
        values
        ('generation'), ('consumption'), ('grid_import'), ('grid_export'), ('battery_charge'), ('battery_discharge'), ('soc')
    ) as known (metric)
),

-- the first version of the whole day: a later answer could have brought another
first_version as (
    select load.system_id, load.day, min(version.fetched_at_utc) as fetched_at_utc
    from core.load as load
    inner join core.day_version as version on version.system_id = load.system_id and version.day = load.day
    where
        load.interval_kind = 'day'
        and version.fetched_at_utc >= load.ends_at_utc
        and version.cause is distinct from 'override'
    group by load.system_id, load.day
),

read_day as (
    select
        system.vendor,
        load.system_id,
        load.day,
        load.ends_at_utc,
        coalesce(load.answered_at_utc > first_version.fetched_at_utc, false) as is_watched
    from core.load as load
    inner join staging.system as system on system.system_id = load.system_id
    left join first_version on first_version.system_id = load.system_id and first_version.day = load.day
    where load.interval_kind = 'day' and load.loaded_at_utc is not null and load.answered_at_utc >= load.ends_at_utc
),

vendor as (
    select vendor, count(*) as read_days
    from read_day
    group by vendor
),

-- one look at the big table: all that follows is made from these few rows
series as (
    select
        read_day.vendor,
        read_day.system_id,
        series.metric,
        series.is_available,
        series.absence,
        series.resolution_minutes,
        count(*) as days,
        count(*) filter (where read_day.is_watched) as watched_days,
        sum(series.expected_buckets) as expected_buckets,
        sum(series.null_buckets) as null_buckets,
        sum(series.missing_buckets) as missing_buckets,
        sum(series.duplicate_buckets) as duplicate_buckets,
        sum(series.off_grid_buckets) as off_grid_buckets,
        sum(series.offset_mismatch_buckets) as offset_mismatch_buckets
    from core.series as series
    inner join read_day on read_day.system_id = series.system_id and read_day.day = series.day
    where series.is_known
    group by
        read_day.vendor,
        read_day.system_id,
        series.metric,
        series.is_available,
        series.absence,
        series.resolution_minutes
),

buckets as (
    select
        vendor,
        metric,
        count(distinct system_id) as systems,
        sum(days) as days,
        sum(watched_days) as watched_days,
        sum(expected_buckets) as expected_buckets,
        sum(null_buckets) / nullif(sum(expected_buckets), 0) as null_ratio,
        sum(missing_buckets) / nullif(sum(expected_buckets), 0) as missing_ratio,
        sum(duplicate_buckets) / nullif(sum(expected_buckets), 0) as duplicate_ratio,
        sum(off_grid_buckets) / nullif(sum(expected_buckets), 0) as off_grid_ratio,
        sum(offset_mismatch_buckets) / nullif(sum(expected_buckets), 0) as offset_mismatch_ratio
    from series
    where is_available
    group by vendor, metric
),

resolution_days as (
    select vendor, metric, resolution_minutes, sum(days) as days
    from series
    where is_available
    group by vendor, metric, resolution_minutes
),

resolution as (
    select
        vendor,
        metric,
        first(resolution_minutes order by days desc, resolution_minutes) as resolution_minutes,
        sum(days) - max(days) as other_days
    from resolution_days
    group by vendor, metric
),

absence_days as (
    select vendor, metric, absence, sum(days) as days
    from series
    where not is_available
    group by vendor, metric, absence
),

absence as (
    select vendor, metric, first(absence order by days desc, absence) as absence
    from absence_days
    group by vendor, metric
),

-- what grew while the day was running is no restatement
change as (
    select
        read_day.vendor,
        restatement.system_id,
        restatement.day,
        restatement.hours_after_day_end as hours,
        unnest(string_split(restatement.changed_flows, ', ')) as metric
    from marts.restatement as restatement
    inner join read_day on read_day.system_id = restatement.system_id and read_day.day = restatement.day
    where restatement.previous_fetched_at_utc >= read_day.ends_at_utc and restatement.cause is distinct from 'override'
),

restatement as (
    select
        vendor,
        metric,
        count(distinct (system_id, day)) as days,
        quantile_cont(hours, [0.5, 0.95, 1]) as hours
    from change
    group by vendor, metric
),

-- below 1 kWh the ratio would tell the rounding of the reported value and not the vendor
compared as (
    select
        reconciled.vendor,
        reconciled.flow,
        reconciled.integrated_kwh,
        reconciled.reported_kwh,
        reconciled.coverage = 1 and reconciled.reported_kwh >= 1 and coalesce(series.edited_buckets, 0) = 0 as is_comparable
    from marts.reconciliation as reconciled
    left join core.series as series
        on series.system_id = reconciled.system_id and series.day = reconciled.day and series.metric = reconciled.flow
),

reported as (
    select
        compared.vendor,
        compared.flow as metric,
        count(*) filter (where compared.is_comparable) as days,
        quantile_cont(compared.integrated_kwh / compared.reported_kwh, [0.05, 0.5, 0.95]) filter (where compared.is_comparable) as ratios,
        min(
            case
                when abs(compared.reported_kwh - round(compared.reported_kwh)) < 1e-9 then 1
                when abs(compared.reported_kwh - round(compared.reported_kwh, 1)) < 1e-9 then 0.1
                when abs(compared.reported_kwh - round(compared.reported_kwh, 2)) < 1e-9 then 0.01
                when compared.reported_kwh is not null then 0.001
            end
        )::double as step_kwh
    from compared
    group by compared.vendor, compared.flow
),

night as (
    select read_day.vendor, count(distinct (finding.system_id, finding.day)) as days
    from core.finding as finding
    inner join read_day on read_day.system_id = finding.system_id and read_day.day = finding.day
    where finding.rule = 'night_generation'
    group by read_day.vendor
),

load_day as (
    select
        daily.vendor,
        daily.system_id,
        daily.day,
        daily.consumption_kwh - daily.consumption_reported_kwh as start_error_kwh,
        daily.consumption_coverage = 1 and coalesce(series.edited_buckets, 0) = 0 as is_whole,
        coalesce(series.edited_buckets, 0) > 0 as is_edited,
        energy.consumption_first_bucket_kwh as first_bucket_kwh,
        series.resolution_minutes
    from marts.daily_energy as daily
    inner join core.day_energy as energy on energy.system_id = daily.system_id and energy.day = daily.day
    inner join core.series as series on series.system_id = daily.system_id and series.day = daily.day
    where series.metric = 'consumption' and series.is_available
),

-- where the grid changes between the two days, the bucket across midnight has no length of its own
labelled as (
    select
        vendor,
        day,
        start_error_kwh,
        start_error_kwh - first_bucket_kwh + lead(first_bucket_kwh) over following as end_error_kwh,
        is_whole
        and lead(is_edited) over following = false
        and lead(day) over following = day + 1
        and lead(resolution_minutes) over following = resolution_minutes as is_comparable
    from load_day
    window following as (partition by system_id order by day)
),

label as (
    select
        labelled.vendor,
        -- 10.02 − 10.01 is a little more than 0.01 in binary: a step that is met exactly is no more than a step
        count(*) filter (where round(abs(labelled.end_error_kwh) - abs(labelled.start_error_kwh), 9) > reported.step_kwh) as start_days,
        count(*) filter (where round(abs(labelled.start_error_kwh) - abs(labelled.end_error_kwh), 9) > reported.step_kwh) as end_days
    from labelled
    inner join reported on reported.vendor is not distinct from labelled.vendor and reported.metric = 'consumption'
    where labelled.is_comparable
    group by labelled.vendor
)

-- a count of nothing is 0: here it is known
select
    vendor.vendor,
    metric.metric,
    coalesce(buckets.systems, 0) as systems,
    vendor.read_days,
    cast(coalesce(buckets.days, 0) as bigint) as days,
    (vendor.read_days - coalesce(buckets.days, 0)) / vendor.read_days as unavailable_ratio,
    absence.absence as unavailable_absence,
    resolution.resolution_minutes,
    cast(coalesce(resolution.other_days, 0) as bigint) as other_resolution_days,
    cast(coalesce(buckets.expected_buckets, 0) as bigint) as expected_buckets,
    buckets.null_ratio,
    buckets.missing_ratio,
    buckets.duplicate_ratio,
    buckets.off_grid_ratio,
    buckets.offset_mismatch_ratio,
    cast(coalesce(buckets.watched_days, 0) as bigint) as watched_days,
    case when metric.metric <> 'soc' then coalesce(restatement.days, 0) end as restated_days,
    case when metric.metric <> 'soc' then coalesce(restatement.days, 0) / nullif(buckets.watched_days, 0) end as restated_ratio,
    restatement.hours[1] as restatement_hours_p50,
    restatement.hours[2] as restatement_hours_p95,
    restatement.hours[3] as restatement_hours_max,
    coalesce(reported.days, 0) as compared_days,
    reported.ratios[1] as integrated_to_reported_ratio_p05,
    reported.ratios[2] as integrated_to_reported_ratio_p50,
    reported.ratios[3] as integrated_to_reported_ratio_p95,
    reported.step_kwh as reported_step_kwh,
    case when metric.metric = 'generation' then coalesce(night.days, 0) / nullif(buckets.days, 0) end as night_generation_ratio,
    case when metric.metric = 'consumption' then coalesce(label.start_days, 0) end as label_start_days,
    case when metric.metric = 'consumption' then coalesce(label.end_days, 0) end as label_end_days,
    case
        when metric.metric = 'consumption'
            then cast(coalesce(buckets.days, 0) as bigint) - coalesce(label.start_days, 0) - coalesce(label.end_days, 0)
    end as label_undecided_days
from vendor
cross join metric
left join buckets on buckets.vendor is not distinct from vendor.vendor and buckets.metric = metric.metric
left join resolution on resolution.vendor is not distinct from vendor.vendor and resolution.metric = metric.metric
left join absence on absence.vendor is not distinct from vendor.vendor and absence.metric = metric.metric
left join restatement on restatement.vendor is not distinct from vendor.vendor and restatement.metric = metric.metric
left join reported on reported.vendor is not distinct from vendor.vendor and reported.metric = metric.metric
left join night on night.vendor is not distinct from vendor.vendor
left join label on label.vendor is not distinct from vendor.vendor
