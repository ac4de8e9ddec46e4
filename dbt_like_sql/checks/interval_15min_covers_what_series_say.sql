-- name: checks.interval_15min_covers_what_series_say
-- meaning: The covered minutes of a day's quarter hours are those that its series cover: valid buckets, with
--   corrections by hand in their place.
-- severity: structural
-- local to: system_id, day
-- failing row: a system, day and flow with both numbers

with
minutes as (
    select
        system_id,
        day,
        sum(generation_minutes) as generation,
        sum(consumption_minutes) as consumption,
        sum(grid_import_minutes) as grid_import,
        sum(grid_export_minutes) as grid_export,
        sum(battery_charge_minutes) as battery_charge,
        sum(battery_discharge_minutes) as battery_discharge
    from core.interval_15min
    group by system_id, day
),

flow_minutes as (
    select
        system_id,
        day,
        unnest([
            {'metric': 'generation', 'minutes': generation},
            {'metric': 'consumption', 'minutes': consumption},
            {'metric': 'grid_import', 'minutes': grid_import},
            {'metric': 'grid_export', 'minutes': grid_export},
            {'metric': 'battery_charge', 'minutes': battery_charge},
            {'metric': 'battery_discharge', 'minutes': battery_discharge}
        ]) as flow
    from minutes
)

select series.system_id, series.day, series.metric, series.valid_minutes, flow_minutes.flow.minutes as quarter_minutes
from core.series as series
left join flow_minutes
    on
        flow_minutes.system_id = series.system_id
        and flow_minutes.day = series.day
        and flow_minutes.flow.metric = series.metric
where
    series.is_known
    and series.metric <> 'soc'
    -- missing and 0 are the same here: a day without any quarter hour covers nothing
    and abs(coalesce(series.valid_minutes, 0) - coalesce(flow_minutes.flow.minutes, 0)) > 1e-6
