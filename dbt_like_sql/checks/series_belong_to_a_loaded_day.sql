-- name: checks.series_belong_to_a_loaded_day
-- meaning: Available series exist only for days that the ledger calls loaded.
-- severity: structural
-- local to: system_id, day
-- failing row: a series of a day that core.load does not call loaded

select series.system_id, series.day, series.metric
from core.series as series
left join core.load as load
    on
        load.system_id = series.system_id
        and load.day = series.day
        and load.interval_kind = 'day'
        and load.loaded_at_utc is not null
where series.is_available and load.system_id is null
