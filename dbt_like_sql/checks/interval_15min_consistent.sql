-- name: checks.interval_15min_consistent
-- meaning: In every quarter hour and flow: 0 to 15 covered minutes, energy where minutes are covered and only there.
--   Mean power is energy by covered time, by the view that makes it.
-- severity: structural
-- local to: system_id, day
-- failing row: a quarter hour and flow for which it is not so

with
flow_quarter as (
    select
        system_id,
        day,
        start_utc,
        unnest([
            {'flow': 'generation', 'kwh': generation_kwh, 'minutes': generation_minutes},
            {'flow': 'consumption', 'kwh': consumption_kwh, 'minutes': consumption_minutes},
            {'flow': 'grid_import', 'kwh': grid_import_kwh, 'minutes': grid_import_minutes},
            {'flow': 'grid_export', 'kwh': grid_export_kwh, 'minutes': grid_export_minutes},
            {'flow': 'battery_charge', 'kwh': battery_charge_kwh, 'minutes': battery_charge_minutes},
            {'flow': 'battery_discharge', 'kwh': battery_discharge_kwh, 'minutes': battery_discharge_minutes}
        ]) as flow
    from core.interval_15min
    -- as below, so that only quarter hours with a fault are taken apart; no minutes and 0 minutes alike have no energy
    where
        case
            when coalesce(generation_minutes, 0) > 0 then generation_minutes > 15 + 1e-9 or generation_kwh is null
            else generation_kwh is not null or coalesce(generation_minutes < 0, false)
        end
        or case
            when coalesce(consumption_minutes, 0) > 0 then consumption_minutes > 15 + 1e-9 or consumption_kwh is null
            else consumption_kwh is not null or coalesce(consumption_minutes < 0, false)
        end
        or case
            when coalesce(grid_import_minutes, 0) > 0 then grid_import_minutes > 15 + 1e-9 or grid_import_kwh is null
            else grid_import_kwh is not null or coalesce(grid_import_minutes < 0, false)
        end
        or case
            when coalesce(grid_export_minutes, 0) > 0 then grid_export_minutes > 15 + 1e-9 or grid_export_kwh is null
            else grid_export_kwh is not null or coalesce(grid_export_minutes < 0, false)
        end
        or case
            when coalesce(battery_charge_minutes, 0) > 0 then battery_charge_minutes > 15 + 1e-9 or battery_charge_kwh is null
            else battery_charge_kwh is not null or coalesce(battery_charge_minutes < 0, false)
        end
        or case
            when coalesce(battery_discharge_minutes, 0) > 0 then battery_discharge_minutes > 15 + 1e-9 or battery_discharge_kwh is null
            else battery_discharge_kwh is not null or coalesce(battery_discharge_minutes < 0, false)
        end
)

select system_id, day, start_utc, flow.flow as flow, flow.kwh as kwh, flow.minutes as minutes
from flow_quarter
where
    case
        when coalesce(flow.minutes, 0) > 0 then flow.minutes > 15 + 1e-9 or flow.kwh is null
        else flow.kwh is not null or coalesce(flow.minutes < 0, false)
    end
