-- What was known of one home's days in the range, and when: days with more than one version, newest first.
select day, version, cause, fetched_at_utc, applied, was_settled, generation_kwh, consumption_kwh, grid_import_kwh, grid_export_kwh
from core.day_version
where
    system_id = $system_id
    and day between $start and $end
    and day in (select day from core.day_version where system_id = $system_id and version > 1)
order by day desc, version
