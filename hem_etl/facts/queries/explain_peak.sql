-- The quarter hour of the peak.
select grid_import_kwh as peak_quarter_kwh, grid_import_minutes as peak_quarter_minutes, start_local
from core.interval_15min
where system_id = $system_id and day = $day and start_utc = $at_utc
