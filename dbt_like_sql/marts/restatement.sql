-- name: marts.restatement
-- meaning: Every change of a day that had been loaded before: what changed, by how much, when we saw it, and whether the
--   vendor or a correction by hand changed it.
-- grain: system × local day × version above 1
-- key: system_id, day, version
-- local to: system_id, day
-- null: <flow>_kwh, <flow>_kwh_before: nothing valid in that version; <flow>_kwh_change: one of the two is NULL;
--   <flow>_coverage, <flow>_coverage_before: the flow was not available in that version; fallen_flows: none; changed_flows: no flow's energy or
--   coverage changed (but its distribution over the day, the state of charge or a reason); hours_after_day_end: the zone is
--   known nowhere; vendor: no list ever showed the system.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   version | integer | - | the version that came: 2 for the first change
--   vendor | varchar | - | vendor as Enode spells it
--   cause | varchar | - | answer: the vendor sent other content; override: the operator's corrections changed (core.override)
--   fetched_at_utc | timestamp | UTC | when we saw the change, or the correction was applied
--   previous_fetched_at_utc | timestamp | UTC | when we had seen the version before
--   hours_after_day_end | double | h | from the local end of the day to fetched_at_utc; negative while the day was running
--   was_settled | boolean | - | the day counted as settled before
--   applied | boolean | - | false: at least one series had vanished and kept its last good values
--   fallen_flows | varchar | - | the flows that cover clearly less of the day than before (by more than a tenth), with commas between; the newer answer counts
--   changed_flows | varchar | - | the flows whose energy or coverage changed, with commas between
--   generation_kwh_before | double | kWh | energy produced by the PV, before
--   generation_kwh | double | kWh | energy produced by the PV, after
--   generation_kwh_change | double | kWh | after − before
--   generation_coverage_before | double | 0–1 | share of the day that generation covered, before
--   generation_coverage | double | 0–1 | share of the day that generation covered, after
--   consumption_kwh_before | double | kWh | energy used by the home, before
--   consumption_kwh | double | kWh | energy used by the home, after
--   consumption_kwh_change | double | kWh | after − before
--   consumption_coverage_before | double | 0–1 | share of the day that consumption covered, before
--   consumption_coverage | double | 0–1 | share of the day that consumption covered, after
--   grid_import_kwh_before | double | kWh | energy drawn from the grid, before
--   grid_import_kwh | double | kWh | energy drawn from the grid, after
--   grid_import_kwh_change | double | kWh | after − before
--   grid_import_coverage_before | double | 0–1 | share of the day that grid_import covered, before
--   grid_import_coverage | double | 0–1 | share of the day that grid_import covered, after
--   grid_export_kwh_before | double | kWh | energy fed into the grid, before
--   grid_export_kwh | double | kWh | energy fed into the grid, after
--   grid_export_kwh_change | double | kWh | after − before
--   grid_export_coverage_before | double | 0–1 | share of the day that grid_export covered, before
--   grid_export_coverage | double | 0–1 | share of the day that grid_export covered, after
--   battery_charge_kwh_before | double | kWh | energy put into the battery, before
--   battery_charge_kwh | double | kWh | energy put into the battery, after
--   battery_charge_kwh_change | double | kWh | after − before
--   battery_charge_coverage_before | double | 0–1 | share of the day that battery_charge covered, before
--   battery_charge_coverage | double | 0–1 | share of the day that battery_charge covered, after
--   battery_discharge_kwh_before | double | kWh | energy taken out of the battery, before
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, after
--   battery_discharge_kwh_change | double | kWh | after − before
--   battery_discharge_coverage_before | double | 0–1 | share of the day that battery_discharge covered, before
--   battery_discharge_coverage | double | 0–1 | share of the day that battery_discharge covered, after

select
    after.system_id,
    after.day,
    after.version,
    spine.vendor,
    after.cause,
    after.fetched_at_utc,
    before.fetched_at_utc as previous_fetched_at_utc,
    epoch(after.fetched_at_utc - spine.day_end_utc) / 3600 as hours_after_day_end,
    after.was_settled,
    after.applied,
    -- a flow that is not available any more covers nothing: 0 is meant
    nullif(
        concat_ws(
            ', ',
            case when before.generation_coverage - coalesce(after.generation_coverage, 0) > 0.1 then 'generation' end,
            case when before.consumption_coverage - coalesce(after.consumption_coverage, 0) > 0.1 then 'consumption' end,
            case when before.grid_import_coverage - coalesce(after.grid_import_coverage, 0) > 0.1 then 'grid_import' end,
            case when before.grid_export_coverage - coalesce(after.grid_export_coverage, 0) > 0.1 then 'grid_export' end,
            case when before.battery_charge_coverage - coalesce(after.battery_charge_coverage, 0) > 0.1 then 'battery_charge' end,
            case when before.battery_discharge_coverage - coalesce(after.battery_discharge_coverage, 0) > 0.1 then 'battery_discharge' end
        ),
        ''
    ) as fallen_flows,
    nullif(
        concat_ws(
            ', ',
            case
                when
                    after.generation_kwh is distinct from before.generation_kwh
                    or after.generation_coverage is distinct from before.generation_coverage
                    then 'generation'
            end,
            case
                when
                    after.consumption_kwh is distinct from before.consumption_kwh
                    or after.consumption_coverage is distinct from before.consumption_coverage
                    then 'consumption'
            end,
            case
                when
                    after.grid_import_kwh is distinct from before.grid_import_kwh
                    or after.grid_import_coverage is distinct from before.grid_import_coverage
                    then 'grid_import'
            end,
            case
                when
                    after.grid_export_kwh is distinct from before.grid_export_kwh
                    or after.grid_export_coverage is distinct from before.grid_export_coverage
                    then 'grid_export'
            end,
            case
                when
                    after.battery_charge_kwh is distinct from before.battery_charge_kwh
                    or after.battery_charge_coverage is distinct from before.battery_charge_coverage
                    then 'battery_charge'
            end,
            case
                when
                    after.battery_discharge_kwh is distinct from before.battery_discharge_kwh
                    or after.battery_discharge_coverage is distinct from before.battery_discharge_coverage
                    then 'battery_discharge'
            end
        ),
        ''
    ) as changed_flows,
    before.generation_kwh as generation_kwh_before,
    after.generation_kwh,
    after.generation_kwh - before.generation_kwh as generation_kwh_change,
    before.generation_coverage as generation_coverage_before,
    after.generation_coverage,
    before.consumption_kwh as consumption_kwh_before,
    after.consumption_kwh,
    after.consumption_kwh - before.consumption_kwh as consumption_kwh_change,
    before.consumption_coverage as consumption_coverage_before,
    after.consumption_coverage,
    before.grid_import_kwh as grid_import_kwh_before,
    after.grid_import_kwh,
    after.grid_import_kwh - before.grid_import_kwh as grid_import_kwh_change,
    before.grid_import_coverage as grid_import_coverage_before,
    after.grid_import_coverage,
    before.grid_export_kwh as grid_export_kwh_before,
    after.grid_export_kwh,
    after.grid_export_kwh - before.grid_export_kwh as grid_export_kwh_change,
    before.grid_export_coverage as grid_export_coverage_before,
    after.grid_export_coverage,
    before.battery_charge_kwh as battery_charge_kwh_before,
    after.battery_charge_kwh,
    after.battery_charge_kwh - before.battery_charge_kwh as battery_charge_kwh_change,
    before.battery_charge_coverage as battery_charge_coverage_before,
    after.battery_charge_coverage,
    before.battery_discharge_kwh as battery_discharge_kwh_before,
    after.battery_discharge_kwh,
    after.battery_discharge_kwh - before.battery_discharge_kwh as battery_discharge_kwh_change,
    before.battery_discharge_coverage as battery_discharge_coverage_before,
    after.battery_discharge_coverage
from core.day_version as after
inner join core.day_version as before
    on before.system_id = after.system_id and before.day = after.day and before.version = after.version - 1
left join staging.day as spine on spine.system_id = after.system_id and spine.day = after.day
-- follows from the join; said so that the many days with one version are not joined
where after.version > 1
