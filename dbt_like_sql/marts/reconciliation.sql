-- name: marts.reconciliation
-- meaning: The energy that we integrate beside the energy that the vendor reports for the same day.
-- grain: system × local day × flow for which at least one of the two is known
-- key: system_id, day, flow
-- local to: system_id, day
-- null: integrated_kwh: nothing valid; reported_kwh: the vendor reports no value; difference_kwh: one of them is missing,
--   for the ratio also when the reported energy is at most 0.05 kWh; coverage: the flow is not available.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   flow | varchar | - | one of the six flows
--   vendor | varchar | - | vendor as Enode spells it
--   integrated_kwh | double | kWh | sum of power × time over the valid buckets
--   reported_kwh | double | kWh | as the vendor reports it
--   difference_kwh | double | kWh | integrated − reported
--   difference_ratio | double | ratio | difference ÷ reported
--   coverage | double | 0–1 | share of the local day with valid buckets
--   status | varchar | - | match (within 0.1 kWh or 2 %), explained_by_coverage, reported_missing, integrated_missing, mismatch
--   state | varchar | - | open, provisional or settled; an open day's two numbers end at different times

-- formulas: reconciliation day–month
with
flow_day as (
    select
        daily.system_id,
        daily.day,
        daily.vendor,
        daily.state,
        unnest([
            {'flow': 'generation', 'integrated_kwh': generation_kwh, 'reported_kwh': generation_reported_kwh, 'coverage': generation_coverage},
            {'flow': 'consumption', 'integrated_kwh': consumption_kwh, 'reported_kwh': consumption_reported_kwh, 'coverage': consumption_coverage},
            {'flow': 'grid_import', 'integrated_kwh': grid_import_kwh, 'reported_kwh': grid_import_reported_kwh, 'coverage': grid_import_coverage},
            {'flow': 'grid_export', 'integrated_kwh': grid_export_kwh, 'reported_kwh': grid_export_reported_kwh, 'coverage': grid_export_coverage},
            {'flow': 'battery_charge', 'integrated_kwh': battery_charge_kwh, 'reported_kwh': battery_charge_reported_kwh, 'coverage': battery_charge_coverage},
            {'flow': 'battery_discharge', 'integrated_kwh': battery_discharge_kwh, 'reported_kwh': battery_discharge_reported_kwh, 'coverage': battery_discharge_coverage}
        ]) as flow
    from marts.daily_energy as daily
),

compared as (
    select
        system_id,
        day,
        flow.flow as flow,
        vendor,
        flow.integrated_kwh as integrated_kwh,
        flow.reported_kwh as reported_kwh,
        flow.integrated_kwh - flow.reported_kwh as difference_kwh,
        flow.coverage as coverage,
        state
    from flow_day
    where flow.integrated_kwh is not null or flow.reported_kwh is not null
)

select
    compared.system_id,
    compared.day,
    compared.flow,
    compared.vendor,
    compared.integrated_kwh,
    compared.reported_kwh,
    compared.difference_kwh,
    case when abs(compared.reported_kwh) > least_kwh() then compared.difference_kwh / compared.reported_kwh end as difference_ratio,
    compared.coverage,
    case
        when compared.reported_kwh is null then 'reported_missing'
        when compared.integrated_kwh is null then 'integrated_missing'
        -- 1.1 − 1.0 is a little more than 0.1 in binary: a limit that is met exactly is met
        when round(abs(compared.difference_kwh), 9) <= greatest(0.1, 0.02 * abs(compared.reported_kwh)) then 'match'
        when
            compared.integrated_kwh <= compared.reported_kwh
            and compared.reported_kwh <= compared.integrated_kwh / nullif(compared.coverage, 0) * 1.05
            then 'explained_by_coverage'
        else 'mismatch'
    end as status,
    compared.state
from compared
