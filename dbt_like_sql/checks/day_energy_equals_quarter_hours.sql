-- name: checks.day_energy_equals_quarter_hours
-- meaning: The sums of a day that the loader keeps are the sums of its quarter hours.
-- severity: structural
-- local to: system_id, day
-- failing row: a system, day and flow with both sums

with
quarters as (
    select
        system_id,
        day,
        sum(generation_kwh) as generation,
        sum(consumption_kwh) as consumption,
        sum(grid_import_kwh) as grid_import,
        sum(grid_export_kwh) as grid_export,
        sum(battery_charge_kwh) as battery_charge,
        sum(battery_discharge_kwh) as battery_discharge,
        sum(balance_sources_kwh) as balance_sources,
        sum(balance_sinks_kwh) as balance_sinks
    from core.interval_15min
    group by system_id, day
),

flow_day as (
    select
        -- a day that one of the two lacks is found by its NULLs
        coalesce(energy.system_id, quarters.system_id) as system_id,
        coalesce(energy.day, quarters.day) as day,
        (energy.day is null) <> (quarters.day is null) as is_alone,
        unnest([
            {'flow': 'generation', 'day_kwh': energy.generation_kwh, 'quarters_kwh': quarters.generation},
            {'flow': 'consumption', 'day_kwh': energy.consumption_kwh, 'quarters_kwh': quarters.consumption},
            {'flow': 'grid_import', 'day_kwh': energy.grid_import_kwh, 'quarters_kwh': quarters.grid_import},
            {'flow': 'grid_export', 'day_kwh': energy.grid_export_kwh, 'quarters_kwh': quarters.grid_export},
            {'flow': 'battery_charge', 'day_kwh': energy.battery_charge_kwh, 'quarters_kwh': quarters.battery_charge},
            {'flow': 'battery_discharge', 'day_kwh': energy.battery_discharge_kwh, 'quarters_kwh': quarters.battery_discharge},
            {'flow': 'balance_sources', 'day_kwh': energy.balance_sources_kwh, 'quarters_kwh': quarters.balance_sources},
            {'flow': 'balance_sinks', 'day_kwh': energy.balance_sinks_kwh, 'quarters_kwh': quarters.balance_sinks}
        ]) as flow
    from core.day_energy as energy
    full join quarters on quarters.system_id = energy.system_id and quarters.day = energy.day
)

select system_id, day, flow.flow as flow, flow.day_kwh as day_kwh, flow.quarters_kwh as quarters_kwh
from flow_day
where
    is_alone
    or (flow.day_kwh is null) <> (flow.quarters_kwh is null)
    or abs(flow.day_kwh - flow.quarters_kwh) > 1e-6 + 1e-9 * abs(flow.quarters_kwh)
