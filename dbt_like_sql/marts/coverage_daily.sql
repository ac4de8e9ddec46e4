-- name: marts.coverage_daily
-- meaning: How well each metric of each day is covered, and one line that explains what is not there.
-- grain: system × local day of marts.daily_energy × metric: the seven known ones, and unknown names of loaded days
-- key: system_id, day, metric
-- local to: system_id, day
-- null: everything from is_available to edited_buckets: the day is not loaded; coverage and the counts: the metric is not
--   available; explanation: every bucket of the day is valid, none
--   is corrected, nothing is left to explain.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   metric | varchar | - | one of the six flows or soc; a name we do not know as it was sent
--   vendor | varchar | - | vendor as Enode spells it
--   outcome | varchar | - | what the last look at the day brought; not_asked: nobody asked for the day
--   is_available | boolean | - | whether the loaded day has the series
--   coverage | double | 0–1 | share of the local day with buckets that count: valid ones, with corrections by hand in their place
--   reason | varchar | - | why the series is not available, in Enode's words
--   absence | varchar | - | the reason's drawer: no_data, missing_scope, unsupported, before_installation, not_sent, other
--   missing_scope | varchar | - | the scope that the user must grant by linking again
--   unit | varchar | - | unit as sent
--   resolution_minutes | integer | min | length of a native bucket
--   expected_buckets | integer | buckets | buckets of the local day that had ended when it was fetched
--   sent_buckets | integer | buckets | different expected instants that were sent, null or not
--   valid_buckets | integer | buckets | not null, finite, readable and not over the limit
--   null_buckets | integer | buckets | sent without a value
--   missing_buckets | integer | buckets | expected and not sent
--   duplicate_buckets | integer | buckets | points beyond the first of the same instant
--   outside_day_buckets | integer | buckets | points outside the local day: left out
--   off_grid_buckets | integer | buckets | points off the series' grid: left out
--   offset_mismatch_buckets | integer | buckets | points whose offset is not the zone's offset
--   negative_buckets | integer | buckets | valid buckets below -0.001 kW: kept in the sums
--   over_limit_buckets | integer | buckets | above the plausibility limit: out of energy and coverage
--   unreadable_buckets | integer | buckets | points whose time or value cannot be read
--   valid_hours | double | h | hours covered by the buckets that count
--   edited_buckets | integer | buckets | buckets whose value is a correction by hand (core.override); the counts before are of what was sent
--   explanation | varchar | - | one line: why the numbers of this day and metric are missing or partial

-- formulas: expected buckets, coverage
with
metric as (
    select known.metric, known.place
    from (
        values
        ('generation', 1),
        ('consumption', 2),
        ('grid_import', 3),
        ('grid_export', 4),
        ('battery_charge', 5),
        ('battery_discharge', 6),
        ('soc', 7)
    ) as known (metric, place)
),

grid as (
    select spine.system_id, spine.day, metric.metric
    from staging.day as spine
    cross join metric
    union all
    select series.system_id, series.day, series.metric
    from core.series as series
    inner join staging.day as spine on spine.system_id = series.system_id and spine.day = series.day
    where series.metric not in (select metric.metric from metric)
),

joined as (
    select
        grid.system_id,
        grid.day,
        grid.metric,
        spine.vendor,
        spine.outcome,
        spine.detail,
        spine.day_hours,
        spine.is_loaded,
        series.is_available,
        case when series.is_available then share_of_time(series.valid_minutes, spine.day_hours) end as coverage,
        series.reason,
        series.absence,
        series.missing_scope,
        series.unit,
        series.resolution_minutes,
        series.expected_buckets,
        series.sent_buckets,
        series.valid_buckets,
        series.null_buckets,
        series.missing_buckets,
        series.duplicate_buckets,
        series.outside_day_buckets,
        series.off_grid_buckets,
        series.offset_mismatch_buckets,
        series.negative_buckets,
        series.over_limit_buckets,
        series.unreadable_buckets,
        series.valid_minutes / 60 as valid_hours,
        series.edited_buckets
    from grid
    inner join staging.day as spine on spine.system_id = grid.system_id and spine.day = grid.day
    left join core.series as series
        on series.system_id = grid.system_id and series.day = grid.day and series.metric = grid.metric
)

select
    joined.system_id,
    joined.day,
    joined.metric,
    joined.vendor,
    joined.outcome,
    joined.is_available,
    joined.coverage,
    joined.reason,
    joined.absence,
    joined.missing_scope,
    joined.unit,
    joined.resolution_minutes,
    joined.expected_buckets,
    joined.sent_buckets,
    joined.valid_buckets,
    joined.null_buckets,
    joined.missing_buckets,
    joined.duplicate_buckets,
    joined.outside_day_buckets,
    joined.off_grid_buckets,
    joined.offset_mismatch_buckets,
    joined.negative_buckets,
    joined.over_limit_buckets,
    joined.unreadable_buckets,
    joined.valid_hours,
    joined.edited_buckets,
    nullif(
        concat_ws(
            '; ',
            case
                when joined.outcome = 'not_asked' then 'never asked: only the vendor''s daily total is known'
                when joined.is_available is null and not joined.is_loaded
                    then concat('not loaded: ', joined.outcome, ' (' || joined.detail || ')')
                when joined.is_available is null then 'the loaded day says nothing about this metric'
                when not joined.is_available
                    then concat(
                        'not available: ',
                        coalesce(joined.reason, joined.absence, 'no reason given'),
                        '; the user must link again with scope ' || joined.missing_scope
                    )
                when joined.expected_buckets = 0 then 'no bucket had ended when the day was fetched'
                when joined.valid_buckets < joined.expected_buckets
                    then concat(
                        joined.valid_buckets, ' of ', joined.expected_buckets, ' expected buckets are valid: ',
                        concat_ws(
                            ', ',
                            case when joined.null_buckets > 0 then joined.null_buckets || ' null' end,
                            case when joined.missing_buckets > 0 then joined.missing_buckets || ' not sent' end,
                            case when joined.over_limit_buckets > 0 then joined.over_limit_buckets || ' over the limit' end,
                            case when joined.unreadable_buckets > 0 then joined.unreadable_buckets || ' unreadable' end
                        )
                    )
            end,
            case
                when joined.edited_buckets > 0 then joined.edited_buckets || ' buckets are corrected by hand (core.override)'
            end,
            case
                when joined.is_available and joined.expected_buckets * joined.resolution_minutes < 60 * joined.day_hours
                    then concat(
                        'the day was still running when it was fetched: ', joined.expected_buckets, ' of ',
                        ceil(60 * joined.day_hours / joined.resolution_minutes)::integer, ' buckets had ended'
                    )
            end,
            case
                when joined.is_loaded and joined.outcome not in ('loaded', 'unavailable')
                    then concat(
                        'the last look failed, shown is what was loaded before: ', joined.outcome,
                        ' (' || joined.detail || ')'
                    )
            end
        ),
        ''
    ) as explanation
from joined
