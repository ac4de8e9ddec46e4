-- name: marts.gaps
-- meaning: Every day and metric that was asked for and has something missing, why, and which rules noticed it.
-- grain: row of marts.coverage_daily that was asked for and has an explanation
-- key: system_id, day, metric
-- local to: system_id, day
-- null: coverage: the metric is not available, or the day not loaded; findings: no rule noticed anything.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   vendor | varchar | - | vendor as Enode spells it
--   day | date | local date | the system's local day
--   metric | varchar | - | one of the six flows or soc; a name we do not know as it was sent
--   outcome | varchar | - | what the last look at the day brought
--   reason | varchar | - | one word to count by: the outcome of a day that is not loaded; else the drawer of an unavailable series (no_data, missing_scope, …), not_said, partial, running, corrected, last_look_failed
--   coverage | double | 0–1 | share of the local day with buckets that count
--   explanation | varchar | - | one line: why the numbers of this day and metric are missing or partial
--   findings | varchar | - | rules that noticed this metric or the whole day, with commas between

with
found as (
    select system_id, day, metric, string_agg(distinct rule, ', ' order by rule) as rules
    from core.finding
    where interval = strftime(day, '%Y-%m-%d')
    group by system_id, day, metric
)

select
    coverage.system_id,
    coverage.vendor,
    coverage.day,
    coverage.metric,
    coverage.outcome,
    case
        when coverage.is_available is null and coverage.outcome not in ('loaded', 'unavailable') then coverage.outcome
        when coverage.is_available is null then 'not_said'
        when not coverage.is_available then coalesce(coverage.absence, 'other')
        when coverage.valid_buckets < coverage.expected_buckets then 'partial'
        when coverage.coverage < 1 then 'running'
        when coverage.edited_buckets > 0 then 'corrected'
        else 'last_look_failed'
    end as reason,
    coverage.coverage,
    coverage.explanation,
    nullif(concat_ws(', ', of_metric.rules, of_day.rules), '') as findings
from marts.coverage_daily as coverage
left join found as of_metric
    on of_metric.system_id = coverage.system_id and of_metric.day = coverage.day and of_metric.metric = coverage.metric
left join found as of_day
    on of_day.system_id = coverage.system_id and of_day.day = coverage.day and of_day.metric is null
where coverage.explanation is not null and coverage.outcome <> 'not_asked'
