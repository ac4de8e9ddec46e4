-- Each day of the systems in `wanted`: what became of it, how much of all its flows it covers, and what is missing why.
with
missing as (
    select system_id, day, reason, string_agg(metric, ', ' order by metric) as metrics, count(*) as places
    from marts.gaps
    where day between $start and $end and system_id in (select system_id from wanted)
    group by system_id, day, reason
),

told as (
    select
        system_id,
        day,
        arg_min(reason, (-places, reason)) as reason,
        string_agg(concat(reason, ' (', metrics, ')'), '; ' order by places desc, reason) as reasons
    from missing
    group by system_id, day
)

select
    daily.system_id,
    daily.day,
    daily.outcome,
    spine.detail,
    spine.is_loaded,
    spine.is_expected,
    daily.is_complete,
    daily.state,
    share_of_time((
        coalesce(flow.generation_valid_minutes, 0) + coalesce(flow.consumption_valid_minutes, 0) + coalesce(flow.grid_import_valid_minutes, 0)
        + coalesce(flow.grid_export_valid_minutes, 0) + coalesce(flow.battery_charge_valid_minutes, 0) + coalesce(flow.battery_discharge_valid_minutes, 0)
    ), nullif(
        coalesce(flow.generation_due_hours, 0) + coalesce(flow.consumption_due_hours, 0) + coalesce(flow.grid_import_due_hours, 0)
        + coalesce(flow.grid_export_due_hours, 0) + coalesce(flow.battery_charge_due_hours, 0) + coalesce(flow.battery_discharge_due_hours, 0),
        0
    )) as coverage,
    told.reason,
    told.reasons,
    daily.edited_buckets,
    daily.findings
from marts.daily_energy as daily
semi join wanted on wanted.system_id = daily.system_id
inner join staging.day as spine on spine.system_id = daily.system_id and spine.day = daily.day
inner join staging.day_flow as flow on flow.system_id = daily.system_id and flow.day = daily.day
left join told on told.system_id = daily.system_id and told.day = daily.day
where daily.day between $start and $end
order by daily.system_id, daily.day
