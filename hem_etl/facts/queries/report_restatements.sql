-- Changes of days of the systems in `wanted`, seen since the first instant of $start (UTC), newest first; not what grew while
-- the day was running.
select
    change.system_id,
    change.vendor,
    change.day,
    change.version,
    change.cause,
    change.fetched_at_utc,
    change.hours_after_day_end,
    change.was_settled,
    change.changed_flows,
    change.fallen_flows,
    change.generation_kwh_change,
    change.consumption_kwh_change,
    change.grid_import_kwh_change,
    change.grid_export_kwh_change
from marts.restatement as change
semi join wanted on wanted.system_id = change.system_id
where change.fetched_at_utc >= $start and (change.hours_after_day_end is null or change.hours_after_day_end > 0)
order by change.fetched_at_utc desc, change.system_id, change.day desc, change.version desc
