-- name: marts.restatement
-- meaning: Every change of a day that had been loaded before: what changed, by how much, when we saw it.
-- grain: system × local day × version above 1
-- key: system_id, day, version
-- null: <flow>_kwh, <flow>_kwh_before: nothing valid in that version; <flow>_kwh_change: one of the two is NULL;
--   changed_flows: no flow's energy or coverage changed (but its distribution over the day, the state of charge or a reason).
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   version | integer | - | the version that came: 2 for the first change
--   vendor | varchar | - | vendor as Enode spells it
--   fetched_at_utc | timestamp | UTC | when we saw the change
--   previous_fetched_at_utc | timestamp | UTC | when we had seen the version before
--   hours_after_day_end | double | h | from the local end of the day to fetched_at_utc; negative while the day was running
--   was_settled | boolean | - | the day counted as settled before
--   applied | boolean | - | false: at least one series had vanished and kept its last good values
--   changed_flows | varchar | - | the flows whose energy or coverage changed, with commas between
--   generation_kwh_before | double | kWh | energy produced by the PV, before
--   generation_kwh | double | kWh | energy produced by the PV, after
--   generation_kwh_change | double | kWh | after − before
--   consumption_kwh_before | double | kWh | energy used by the home, before
--   consumption_kwh | double | kWh | energy used by the home, after
--   consumption_kwh_change | double | kWh | after − before
--   grid_import_kwh_before | double | kWh | energy drawn from the grid, before
--   grid_import_kwh | double | kWh | energy drawn from the grid, after
--   grid_import_kwh_change | double | kWh | after − before
--   grid_export_kwh_before | double | kWh | energy fed into the grid, before
--   grid_export_kwh | double | kWh | energy fed into the grid, after
--   grid_export_kwh_change | double | kWh | after − before
--   battery_charge_kwh_before | double | kWh | energy put into the battery, before
--   battery_charge_kwh | double | kWh | energy put into the battery, after
--   battery_charge_kwh_change | double | kWh | after − before
--   battery_discharge_kwh_before | double | kWh | energy taken out of the battery, before
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, after
--   battery_discharge_kwh_change | double | kWh | after − before

with
versions as (
    select
        system_id,
        day,
        version,
        fetched_at_utc,
        lag(fetched_at_utc) over earlier as previous_fetched_at_utc,
        was_settled,
        applied,
        generation_kwh,
        consumption_kwh,
        grid_import_kwh,
        grid_export_kwh,
        battery_charge_kwh,
        battery_discharge_kwh,
        lag(generation_kwh) over earlier as generation_kwh_before,
        lag(consumption_kwh) over earlier as consumption_kwh_before,
        lag(grid_import_kwh) over earlier as grid_import_kwh_before,
        lag(grid_export_kwh) over earlier as grid_export_kwh_before,
        lag(battery_charge_kwh) over earlier as battery_charge_kwh_before,
        lag(battery_discharge_kwh) over earlier as battery_discharge_kwh_before,
        generation_coverage,
        consumption_coverage,
        grid_import_coverage,
        grid_export_coverage,
        battery_charge_coverage,
        battery_discharge_coverage,
        lag(generation_coverage) over earlier as generation_coverage_before,
        lag(consumption_coverage) over earlier as consumption_coverage_before,
        lag(grid_import_coverage) over earlier as grid_import_coverage_before,
        lag(grid_export_coverage) over earlier as grid_export_coverage_before,
        lag(battery_charge_coverage) over earlier as battery_charge_coverage_before,
        lag(battery_discharge_coverage) over earlier as battery_discharge_coverage_before
    from core.day_version
    window earlier as (partition by system_id, day order by version)
)

select
    versions.system_id,
    versions.day,
    versions.version,
    spine.vendor,
    versions.fetched_at_utc,
    versions.previous_fetched_at_utc,
    epoch(versions.fetched_at_utc - spine.day_end_utc) / 3600 as hours_after_day_end,
    versions.was_settled,
    versions.applied,
    nullif(
        concat_ws(
            ', ',
            case
                when
                    versions.generation_kwh is distinct from versions.generation_kwh_before
                    or versions.generation_coverage is distinct from versions.generation_coverage_before
                    then 'generation'
            end,
            case
                when
                    versions.consumption_kwh is distinct from versions.consumption_kwh_before
                    or versions.consumption_coverage is distinct from versions.consumption_coverage_before
                    then 'consumption'
            end,
            case
                when
                    versions.grid_import_kwh is distinct from versions.grid_import_kwh_before
                    or versions.grid_import_coverage is distinct from versions.grid_import_coverage_before
                    then 'grid_import'
            end,
            case
                when
                    versions.grid_export_kwh is distinct from versions.grid_export_kwh_before
                    or versions.grid_export_coverage is distinct from versions.grid_export_coverage_before
                    then 'grid_export'
            end,
            case
                when
                    versions.battery_charge_kwh is distinct from versions.battery_charge_kwh_before
                    or versions.battery_charge_coverage is distinct from versions.battery_charge_coverage_before
                    then 'battery_charge'
            end,
            case
                when
                    versions.battery_discharge_kwh is distinct from versions.battery_discharge_kwh_before
                    or versions.battery_discharge_coverage is distinct from versions.battery_discharge_coverage_before
                    then 'battery_discharge'
            end
        ),
        ''
    ) as changed_flows,
    versions.generation_kwh_before,
    versions.generation_kwh,
    versions.generation_kwh - versions.generation_kwh_before as generation_kwh_change,
    versions.consumption_kwh_before,
    versions.consumption_kwh,
    versions.consumption_kwh - versions.consumption_kwh_before as consumption_kwh_change,
    versions.grid_import_kwh_before,
    versions.grid_import_kwh,
    versions.grid_import_kwh - versions.grid_import_kwh_before as grid_import_kwh_change,
    versions.grid_export_kwh_before,
    versions.grid_export_kwh,
    versions.grid_export_kwh - versions.grid_export_kwh_before as grid_export_kwh_change,
    versions.battery_charge_kwh_before,
    versions.battery_charge_kwh,
    versions.battery_charge_kwh - versions.battery_charge_kwh_before as battery_charge_kwh_change,
    versions.battery_discharge_kwh_before,
    versions.battery_discharge_kwh,
    versions.battery_discharge_kwh - versions.battery_discharge_kwh_before as battery_discharge_kwh_change
from versions
left join staging.day as spine on spine.system_id = versions.system_id and spine.day = versions.day
where versions.version > 1
