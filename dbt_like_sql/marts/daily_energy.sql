-- name: marts.daily_energy
-- meaning: Energy, coverage, completeness, state of charge and balance of every day; what is not known is NULL and outcome says why.
-- grain: system × local day that has a row in core.load or a reported value
-- key: system_id, day
-- null: <flow>_kwh: nothing valid (never 0 for "no data"); <flow>_coverage: the flow is not available, or the day not loaded;
--   <flow>_reported_kwh: the vendor reports no value; is_complete, state: nobody asked for the day; soc_*: no state of charge;
--   balance_*: no bucket with all six flows valid; the attributed flows (used_*, *_to_*): no bucket with all of generation,
--   grid and battery flows valid, as in a home without a battery, whose simple ratios are exact; every ratio: also where its
--   denominator is at most 0.05 kWh.
-- materialized: table
-- rebuilt by: system_id, day
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   outcome | varchar | - | what the last look at the day brought; a day that was loaded earlier keeps its numbers whatever it says; not_asked: nobody asked for the day, only the vendor's daily total is known
--   user_id | varchar | - | your own id of the user to whom the account belonged at the end of the day
--   vendor | varchar | - | vendor as Enode spells it
--   timezone | varchar | - | IANA zone that the day was read in, else the system's
--   day_hours | double | h | length of the local day: 24, and 23, 23.5, 24.5 or 25 where a clock changes
--   generation_kwh | double | kWh | energy produced by the PV: sum of power × time over the valid buckets
--   consumption_kwh | double | kWh | energy used by the home: sum of power × time over the valid buckets
--   grid_import_kwh | double | kWh | energy drawn from the grid: sum of power × time over the valid buckets
--   grid_export_kwh | double | kWh | energy fed into the grid: sum of power × time over the valid buckets
--   battery_charge_kwh | double | kWh | energy put into the battery: sum of power × time over the valid buckets
--   battery_discharge_kwh | double | kWh | energy taken out of the battery: sum of power × time over the valid buckets
--   generation_coverage | double | 0–1 | share of the local day with valid buckets of generation
--   consumption_coverage | double | 0–1 | share of the local day with valid buckets of consumption
--   grid_import_coverage | double | 0–1 | share of the local day with valid buckets of grid_import
--   grid_export_coverage | double | 0–1 | share of the local day with valid buckets of grid_export
--   battery_charge_coverage | double | 0–1 | share of the local day with valid buckets of battery_charge
--   battery_discharge_coverage | double | 0–1 | share of the local day with valid buckets of battery_discharge
--   generation_reported_kwh | double | kWh | energy produced by the PV, as the vendor reports it
--   consumption_reported_kwh | double | kWh | energy used by the home, as the vendor reports it
--   grid_import_reported_kwh | double | kWh | energy drawn from the grid, as the vendor reports it
--   grid_export_reported_kwh | double | kWh | energy fed into the grid, as the vendor reports it
--   battery_charge_reported_kwh | double | kWh | energy put into the battery, as the vendor reports it
--   battery_discharge_reported_kwh | double | kWh | energy taken out of the battery, as the vendor reports it
--   soc_first_pct | double | % | first state of charge of the day
--   soc_last_pct | double | % | last state of charge of the day
--   soc_min_pct | double | % | lowest state of charge of the day
--   soc_max_pct | double | % | highest state of charge of the day
--   is_complete | boolean | - | at least one flow is available, and every available one covers at least the share complete_coverage; false for a day that is not loaded
--   balance_residual_kwh | double | kWh | (generation + grid import + battery discharge) − (consumption + grid export + battery charge), over the buckets in which all six are valid
--   balance_residual_ratio | double | 0–1 | absolute residual ÷ the larger side
--   used_solar_kwh | double | kWh | PV energy that the home used, over the attributed buckets
--   used_battery_kwh | double | kWh | energy from the battery that the home used, over the attributed buckets
--   used_grid_kwh | double | kWh | energy from the grid that the home used, over the attributed buckets
--   used_total_kwh | double | kWh | what the home used: used_solar + used_battery + used_grid, over the attributed buckets
--   solar_to_battery_kwh | double | kWh | PV energy put into the battery, over the attributed buckets
--   solar_to_grid_kwh | double | kWh | PV energy fed into the grid, over the attributed buckets
--   grid_to_battery_kwh | double | kWh | energy from the grid put into the battery, over the attributed buckets
--   battery_to_grid_kwh | double | kWh | energy from the battery fed into the grid, over the attributed buckets
--   attributed_coverage | double | 0–1 | share of the local day whose buckets the attributed flows are made from
--   self_consumption_ratio | double | 0–1 | (used_solar + solar_to_battery) ÷ the generation of the attributed buckets
--   self_consumption_ratio_low | double | 0–1 | the least it can be, whatever the missing time held
--   self_consumption_ratio_high | double | 0–1 | the most it can be, whatever the missing time held
--   self_consumption_simple_ratio | double | ratio | (generation − grid_export) ÷ generation, over the quarter hours that both cover whole; wrong where the battery exports
--   self_sufficiency_ratio | double | 0–1 | (used_solar + used_battery) ÷ used_total
--   self_sufficiency_ratio_low | double | 0–1 | the least it can be, whatever the missing time held
--   self_sufficiency_ratio_high | double | 0–1 | the most it can be, whatever the missing time held
--   self_sufficiency_simple_ratio | double | ratio | 1 − grid_import ÷ consumption, over the quarter hours that both cover whole; negative where the battery charges from the grid
--   peak_import_kw | double | kW | highest 15-minute mean of grid_import
--   peak_import_at_utc | timestamp | UTC | start of the first quarter hour with that peak
--   peak_import_at_local | timestamp | local time | the same on the wall clock of the home
--   load_factor_ratio | double | 0–1 | mean of consumption over its valid time ÷ its highest 15-minute mean
--   battery_full_cycles | double | cycles | battery_discharge ÷ usable capacity; NULL where no list tells the capacity
--   edited_buckets | bigint | buckets | buckets of all metrics whose value is a correction by hand (core.override); in every number of this row but the reported ones
--   findings | bigint | findings | what the rules noticed about this day
--   state | varchar | - | open until the local end, then provisional, then settled; of an open day every coverage is of the whole day (marts.today: of the time that is over), the bounds of time that is over

-- formulas: energy, coverage, complete day, balance residual, flow attribution, ratios, peak, load factor, bounds
with
setting as (
    select max(value) filter (where name = 'complete_coverage') as complete_coverage
    from core.setting
),

coverage as (
    select
        system_id,
        day,
        case when generation_is_available then share_of_time(generation_valid_minutes, generation_due_hours) end as generation,
        case when consumption_is_available then share_of_time(consumption_valid_minutes, consumption_due_hours) end as consumption,
        case when grid_import_is_available then share_of_time(grid_import_valid_minutes, grid_import_due_hours) end as grid_import,
        case when grid_export_is_available then share_of_time(grid_export_valid_minutes, grid_export_due_hours) end as grid_export,
        case when battery_charge_is_available then share_of_time(battery_charge_valid_minutes, battery_charge_due_hours) end as battery_charge,
        case when battery_discharge_is_available then share_of_time(battery_discharge_valid_minutes, battery_discharge_due_hours) end as battery_discharge
    from staging.day_flow
),

completeness as (
    select
        coverage.system_id,
        coverage.day,
        -- least() leaves out NULLs: the flows that are not available
        least(
            coverage.generation, coverage.consumption, coverage.grid_import, coverage.grid_export, coverage.battery_charge, coverage.battery_discharge
        ) as least_coverage
    from coverage
),

findings as (
    select spine.system_id, spine.day, count(finding.rule) as findings
    from staging.day as spine
    left join core.finding as finding
        on finding.system_id = spine.system_id and finding.interval = strftime(spine.day, '%Y-%m-%d')
    group by spine.system_id, spine.day
),

edited as (
    select
        spine.system_id,
        spine.day,
        -- a day that is not loaded has no corrections: here 0 is meant
        cast(coalesce(sum(series.edited_buckets), 0) as bigint) as edited_buckets
    from staging.day as spine
    left join core.series as series on series.system_id = spine.system_id and series.day = spine.day
    group by spine.system_id, spine.day
)

select
    spine.system_id,
    spine.day,
    spine.outcome,
    spine.user_id,
    spine.vendor,
    spine.timezone,
    spine.day_hours,
    energy.generation_kwh, energy.consumption_kwh, energy.grid_import_kwh,
    energy.grid_export_kwh, energy.battery_charge_kwh, energy.battery_discharge_kwh,
    coverage.generation as generation_coverage, coverage.consumption as consumption_coverage,
    coverage.grid_import as grid_import_coverage, coverage.grid_export as grid_export_coverage,
    coverage.battery_charge as battery_charge_coverage, coverage.battery_discharge as battery_discharge_coverage,
    reported.generation_kwh as generation_reported_kwh, reported.consumption_kwh as consumption_reported_kwh,
    reported.grid_import_kwh as grid_import_reported_kwh, reported.grid_export_kwh as grid_export_reported_kwh,
    reported.battery_charge_kwh as battery_charge_reported_kwh, reported.battery_discharge_kwh as battery_discharge_reported_kwh,
    energy.soc_first_pct,
    energy.soc_last_pct,
    energy.soc_min_pct,
    energy.soc_max_pct,
    case
        when completeness.least_coverage >= setting.complete_coverage then true
        when spine.outcome <> 'not_asked' then false
    end as is_complete,
    energy.balance_sources_kwh - energy.balance_sinks_kwh as balance_residual_kwh,
    ratio(
        abs(energy.balance_sources_kwh - energy.balance_sinks_kwh), greatest(energy.balance_sources_kwh, energy.balance_sinks_kwh)
    ) as balance_residual_ratio,
    energy.used_solar_kwh, energy.used_battery_kwh, energy.used_grid_kwh, energy.used_total_kwh,
    energy.solar_to_battery_kwh, energy.solar_to_grid_kwh, energy.grid_to_battery_kwh, energy.battery_to_grid_kwh,
    share_of_time(energy.attributed_minutes, spine.day_hours) as attributed_coverage,
    self_consumption(energy.used_solar_kwh, energy.solar_to_battery_kwh, energy.solar_to_grid_kwh) as self_consumption_ratio,
    self_consumption_low(
        energy.used_solar_kwh, energy.solar_to_battery_kwh, energy.solar_to_grid_kwh, gap.generation_gap_kwh
    ) as self_consumption_ratio_low,
    self_consumption_high(
        energy.used_solar_kwh, energy.solar_to_battery_kwh, energy.solar_to_grid_kwh, gap.generation_gap_kwh
    ) as self_consumption_ratio_high,
    self_consumption_simple(energy.paired_generation_kwh, energy.paired_grid_export_kwh) as self_consumption_simple_ratio,
    self_sufficiency(energy.used_solar_kwh, energy.used_battery_kwh, energy.used_total_kwh) as self_sufficiency_ratio,
    self_sufficiency_low(energy.used_solar_kwh, energy.used_battery_kwh, energy.used_total_kwh, gap.consumption_gap_kwh) as self_sufficiency_ratio_low,
    self_sufficiency_high(
        energy.used_solar_kwh, energy.used_battery_kwh, energy.used_total_kwh, gap.consumption_gap_kwh
    ) as self_sufficiency_ratio_high,
    self_sufficiency_simple(energy.paired_consumption_kwh, energy.paired_grid_import_kwh) as self_sufficiency_simple_ratio,
    energy.grid_import_peak_kw as peak_import_kw,
    energy.grid_import_peak_at_utc as peak_import_at_utc,
    energy.grid_import_peak_at_local as peak_import_at_local,
    load_factor(energy.consumption_kwh, flow.consumption_valid_minutes, energy.consumption_peak_kw) as load_factor_ratio,
    energy.battery_discharge_kwh / nullif(system.battery_capacity_kwh, 0) as battery_full_cycles,
    edited.edited_buckets,
    findings.findings,
    spine.state
from staging.day as spine
cross join setting
inner join coverage on coverage.system_id = spine.system_id and coverage.day = spine.day
inner join completeness on completeness.system_id = spine.system_id and completeness.day = spine.day
inner join edited on edited.system_id = spine.system_id and edited.day = spine.day
inner join findings on findings.system_id = spine.system_id and findings.day = spine.day
inner join staging.system as system on system.system_id = spine.system_id
inner join staging.day_flow as flow on flow.system_id = spine.system_id and flow.day = spine.day
inner join staging.day_gap as gap on gap.system_id = spine.system_id and gap.day = spine.day
left join core.day_energy as energy on energy.system_id = spine.system_id and energy.day = spine.day
left join core.reported_day as reported on reported.system_id = spine.system_id and reported.day = spine.day
