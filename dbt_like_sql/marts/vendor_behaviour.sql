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
with
metric as (
    select known.metric
    from (
        values
        ('generation'), ('consumption'), ('grid_import'), ('grid_export'), ('battery_charge'), ('battery_discharge'), ('soc')
    ) as known (metric)
),

vendor as (
    select vendor, count(*) as read_days, count(*) filter (where has_night_generation) as night_days
    from staging.day_behaviour
    where is_read
    group by vendor
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
    from staging.series_month
    where is_available
    group by vendor, metric
),

resolution_days as (
    select vendor, metric, resolution_minutes, sum(days) as days
    from staging.series_month
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
    from staging.series_month
    where not is_available
    group by vendor, metric, absence
),

absence as (
    select vendor, metric, first(absence order by days desc, absence) as absence
    from absence_days
    group by vendor, metric
),

restatement as (
    select
        vendor,
        flow as metric,
        count(distinct (system_id, day)) as days,
        quantile_cont(after_hours, [0.5, 0.95, 1]) as hours
    from staging.restated_flow
    group by vendor, flow
),

compared as (
    select
        vendor,
        count(generation_to_reported_ratio) as generation_days,
        quantile_cont(generation_to_reported_ratio, [0.05, 0.5, 0.95]) as generation_ratios,
        min(generation_reported_step_kwh) as generation_step_kwh,
        count(consumption_to_reported_ratio) as consumption_days,
        quantile_cont(consumption_to_reported_ratio, [0.05, 0.5, 0.95]) as consumption_ratios,
        min(consumption_reported_step_kwh) as consumption_step_kwh,
        count(grid_import_to_reported_ratio) as grid_import_days,
        quantile_cont(grid_import_to_reported_ratio, [0.05, 0.5, 0.95]) as grid_import_ratios,
        min(grid_import_reported_step_kwh) as grid_import_step_kwh,
        count(grid_export_to_reported_ratio) as grid_export_days,
        quantile_cont(grid_export_to_reported_ratio, [0.05, 0.5, 0.95]) as grid_export_ratios,
        min(grid_export_reported_step_kwh) as grid_export_step_kwh,
        count(battery_charge_to_reported_ratio) as battery_charge_days,
        quantile_cont(battery_charge_to_reported_ratio, [0.05, 0.5, 0.95]) as battery_charge_ratios,
        min(battery_charge_reported_step_kwh) as battery_charge_step_kwh,
        count(battery_discharge_to_reported_ratio) as battery_discharge_days,
        quantile_cont(battery_discharge_to_reported_ratio, [0.05, 0.5, 0.95]) as battery_discharge_ratios,
        min(battery_discharge_reported_step_kwh) as battery_discharge_step_kwh
    from staging.day_behaviour
    group by vendor
),

flow_reported as (
    select
        vendor,
        unnest([
            {'metric': 'generation', 'days': generation_days, 'ratios': generation_ratios, 'step_kwh': generation_step_kwh},
            {'metric': 'consumption', 'days': consumption_days, 'ratios': consumption_ratios, 'step_kwh': consumption_step_kwh},
            {'metric': 'grid_import', 'days': grid_import_days, 'ratios': grid_import_ratios, 'step_kwh': grid_import_step_kwh},
            {'metric': 'grid_export', 'days': grid_export_days, 'ratios': grid_export_ratios, 'step_kwh': grid_export_step_kwh},
            {'metric': 'battery_charge', 'days': battery_charge_days, 'ratios': battery_charge_ratios, 'step_kwh': battery_charge_step_kwh},
            {'metric': 'battery_discharge', 'days': battery_discharge_days, 'ratios': battery_discharge_ratios, 'step_kwh': battery_discharge_step_kwh}
        ]) as flow
    from compared
),

reported as (
    select vendor, flow.metric as metric, flow.days as days, flow.ratios as ratios, flow.step_kwh as step_kwh
    from flow_reported
),

label as (
    select
        labelled.vendor,
        -- 10.02 − 10.01 is a little more than 0.01 in binary: a step that is met exactly is no more than a step
        count(*) filter (where round(abs(labelled.end_error_kwh) - abs(labelled.start_error_kwh), 9) > reported.step_kwh) as start_days,
        count(*) filter (where round(abs(labelled.start_error_kwh) - abs(labelled.end_error_kwh), 9) > reported.step_kwh) as end_days
    from staging.day_behaviour as labelled
    inner join reported on reported.vendor is not distinct from labelled.vendor and reported.metric = 'consumption'
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
    case when metric.metric = 'generation' then vendor.night_days / nullif(buckets.days, 0) end as night_generation_ratio,
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
left join label on label.vendor is not distinct from vendor.vendor
