-- The quarter hours of the days in `shown` (system_id, day).
select
    quarter.system_id,
    quarter.day,
    quarter.start_utc,
    quarter.generation_kw,
    quarter.consumption_kw,
    quarter.grid_import_kw,
    quarter.grid_export_kw,
    quarter.battery_charge_kw,
    quarter.battery_discharge_kw,
    quarter.generation_minutes,
    quarter.consumption_minutes,
    quarter.grid_import_minutes,
    quarter.grid_export_minutes,
    quarter.battery_charge_minutes,
    quarter.battery_discharge_minutes,
    quarter.soc_pct
from marts.interval_15min as quarter
semi join shown on shown.system_id = quarter.system_id and shown.day = quarter.day
order by quarter.system_id, quarter.day, quarter.start_utc
