-- name: marts.interval_15min
-- meaning: Power, energy and covered minutes of every quarter hour, with the system's vendor and the day's zone.
-- grain: system × local day × quarter hour that overlaps at least one native reading
-- key: system_id, day, start_utc
-- key checked by: interval_15min_key
-- null: no valid native bucket in that quarter hour; <flow>_minutes: the flow is not available that day.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   user_id | varchar | - | your own id of the user who linked the account
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone that the day was read in
--   start_utc | timestamp | UTC | start of the quarter hour
--   start_local | timestamp | local time | start of the quarter hour as wall-clock time
--   utc_offset_minutes | smallint | min | local time minus UTC at the start of the quarter hour
--   generation_kw | double | kW | mean power produced by the PV over the covered minutes
--   consumption_kw | double | kW | mean power used by the home over the covered minutes
--   grid_import_kw | double | kW | mean power drawn from the grid over the covered minutes
--   grid_export_kw | double | kW | mean power fed into the grid over the covered minutes
--   battery_charge_kw | double | kW | mean power put into the battery over the covered minutes
--   battery_discharge_kw | double | kW | mean power taken out of the battery over the covered minutes
--   generation_kwh | double | kWh | energy produced by the PV during the covered minutes
--   consumption_kwh | double | kWh | energy used by the home during the covered minutes
--   grid_import_kwh | double | kWh | energy drawn from the grid during the covered minutes
--   grid_export_kwh | double | kWh | energy fed into the grid during the covered minutes
--   battery_charge_kwh | double | kWh | energy put into the battery during the covered minutes
--   battery_discharge_kwh | double | kWh | energy taken out of the battery during the covered minutes
--   generation_minutes | double | min | minutes with valid buckets of generation, 0–15
--   consumption_minutes | double | min | minutes with valid buckets of consumption, 0–15
--   grid_import_minutes | double | min | minutes with valid buckets of grid_import, 0–15
--   grid_export_minutes | double | min | minutes with valid buckets of grid_export, 0–15
--   battery_charge_minutes | double | min | minutes with valid buckets of battery_charge, 0–15
--   battery_discharge_minutes | double | min | minutes with valid buckets of battery_discharge, 0–15
--   soc_pct | double | % | last valid state of charge of the battery in the quarter hour

select
    quarter.system_id,
    quarter.day,
    spine.user_id,
    spine.vendor,
    spine.timezone,
    quarter.start_utc,
    quarter.start_local,
    quarter.utc_offset_minutes,
    quarter.generation_kw, quarter.consumption_kw, quarter.grid_import_kw,
    quarter.grid_export_kw, quarter.battery_charge_kw, quarter.battery_discharge_kw,
    quarter.generation_kwh, quarter.consumption_kwh, quarter.grid_import_kwh,
    quarter.grid_export_kwh, quarter.battery_charge_kwh, quarter.battery_discharge_kwh,
    quarter.generation_minutes, quarter.consumption_minutes, quarter.grid_import_minutes,
    quarter.grid_export_minutes, quarter.battery_charge_minutes, quarter.battery_discharge_minutes,
    quarter.soc_pct
from core.interval_15min as quarter
left join staging.day as spine on spine.system_id = quarter.system_id and spine.day = quarter.day
