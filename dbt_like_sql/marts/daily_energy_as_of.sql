-- name: marts.daily_energy_as_of
-- meaning: What was known about each day at an instant: its energy and coverage by the newest version that had been fetched.
-- grain: system × local day of which a version had been fetched by the instant; a day that was never loaded has no row
-- key: system_id, day
-- key checked by: core_day_version_key
-- null: <flow>_kwh: nothing valid in that version; <flow>_coverage: the flow was not available; vendor: no list ever showed
--   the system.
-- parameters:
--   instant | timestamp | UTC | versions fetched at or before it count; a TIMESTAMPTZ is the instant that it is, a DATE its first instant in UTC, text is refused, NULL and infinity give no rows
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   vendor | varchar | - | vendor as Enode spells it, as it is known now
--   version | integer | - | the version that stood then, 1 for the first
--   fetched_at_utc | timestamp | UTC | when that version was fetched
--   is_newest | boolean | - | it still stands: no later version has come since
--   generation_kwh | double | kWh | energy produced by the PV, by that version
--   consumption_kwh | double | kWh | energy used by the home, by that version
--   grid_import_kwh | double | kWh | energy drawn from the grid, by that version
--   grid_export_kwh | double | kWh | energy fed into the grid, by that version
--   battery_charge_kwh | double | kWh | energy put into the battery, by that version
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, by that version
--   generation_coverage | double | 0–1 | share of the day that generation covered, by that version
--   consumption_coverage | double | 0–1 | share of the day that consumption covered, by that version
--   grid_import_coverage | double | 0–1 | share of the day that grid_import covered, by that version
--   grid_export_coverage | double | 0–1 | share of the day that grid_export covered, by that version
--   battery_charge_coverage | double | 0–1 | share of the day that battery_charge covered, by that version
--   battery_discharge_coverage | double | 0–1 | share of the day that battery_discharge covered, by that version

-- Microseconds since 1970 are the same in every session; of two types, the one without a zone would take the session's.
with
standing as (
    select
        system_id,
        day,
        max(version) filter (where fetched_at_utc <= make_timestamp(epoch_us(instant))) as version,
        max(version) as newest_version
    from core.day_version
    group by system_id, day
)

select
    known.system_id,
    known.day,
    system.vendor,
    known.version,
    known.fetched_at_utc,
    standing.version = standing.newest_version as is_newest,
    known.generation_kwh, known.consumption_kwh, known.grid_import_kwh, known.grid_export_kwh, known.battery_charge_kwh, known.battery_discharge_kwh,
    known.generation_coverage, known.consumption_coverage, known.grid_import_coverage,
    known.grid_export_coverage, known.battery_charge_coverage, known.battery_discharge_coverage
from standing
inner join core.day_version as known
    on known.system_id = standing.system_id and known.day = standing.day and known.version = standing.version
left join core.system as system on system.system_id = known.system_id
