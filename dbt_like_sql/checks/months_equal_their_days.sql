-- name: checks.months_equal_their_days
-- meaning: The energy of a month is the sum of its days, as the loader keeps them; a day that overlaps the one before is left out.
-- severity: structural
-- local to: system_id, month
-- failing row: a system, month and flow with both sums

with
days as (
    select
        system_id,
        cast(date_trunc('month', day) as date) as month,
        sum(generation_kwh) as generation,
        sum(consumption_kwh) as consumption,
        sum(grid_import_kwh) as grid_import,
        sum(grid_export_kwh) as grid_export,
        sum(battery_charge_kwh) as battery_charge,
        sum(battery_discharge_kwh) as battery_discharge
    from core.day_energy as energy
    anti join (from staging.day where overlap_hours > 0) as overlapping
        on overlapping.system_id = energy.system_id and overlapping.day = energy.day
    group by system_id, cast(date_trunc('month', day) as date)
),

flow_month as (
    select
        monthly.system_id,
        monthly.month,
        unnest([
            {'flow': 'generation', 'month_kwh': monthly.generation_kwh, 'days_kwh': days.generation},
            {'flow': 'consumption', 'month_kwh': monthly.consumption_kwh, 'days_kwh': days.consumption},
            {'flow': 'grid_import', 'month_kwh': monthly.grid_import_kwh, 'days_kwh': days.grid_import},
            {'flow': 'grid_export', 'month_kwh': monthly.grid_export_kwh, 'days_kwh': days.grid_export},
            {'flow': 'battery_charge', 'month_kwh': monthly.battery_charge_kwh, 'days_kwh': days.battery_charge},
            {'flow': 'battery_discharge', 'month_kwh': monthly.battery_discharge_kwh, 'days_kwh': days.battery_discharge}
        ]) as flow
    from marts.monthly_energy as monthly
    left join days on days.system_id = monthly.system_id and days.month = monthly.month
)

select system_id, month, flow.flow as flow, flow.month_kwh as month_kwh, flow.days_kwh as days_kwh
from flow_month
where
    (flow.month_kwh is null) <> (flow.days_kwh is null)
    or abs(flow.month_kwh - flow.days_kwh) > 1e-6 + 1e-9 * abs(flow.days_kwh)
