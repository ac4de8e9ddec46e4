-- What was known of the days of the systems in `wanted`, and when: days of the range with more than one version, newest first.
select system_id, day, version, cause, fetched_at_utc, applied, was_settled, generation_kwh, consumption_kwh, grid_import_kwh, grid_export_kwh
from core.day_version
where
    system_id in (select system_id from wanted)
    and day between $start and $end
    and (system_id, day) in (select (system_id, day) from core.day_version where version > 1)
order by system_id, day desc, version
