-- name: checks.series_has_the_seven_metrics
-- meaning: Every loaded day has one row in core.series for each of the seven metrics.
-- severity: structural
-- local to: system_id, day
-- failing row: a loaded day with the number of known metrics that it has

select load.system_id, load.day, count(distinct series.metric) as known_metrics
from core.load as load
left join core.series as series
    on series.system_id = load.system_id and series.day = load.day and series.is_known
where load.interval_kind = 'day' and load.loaded_at_utc is not null
group by load.system_id, load.day
having
    count(distinct series.metric) filter (
        where series.metric in (
            'generation', 'consumption', 'grid_import', 'grid_export', 'battery_charge', 'battery_discharge', 'soc'
        )
    ) <> 7
    or count(series.metric) <> 7
