-- name: checks.interval_15min_consistent
-- meaning: In every quarter hour and flow: 0 to 15 covered minutes, energy where minutes are covered and only there,
--   and energy = mean power × covered time.
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
            {'flow': 'generation', 'kw': generation_kw, 'kwh': generation_kwh, 'minutes': generation_minutes},
            {'flow': 'consumption', 'kw': consumption_kw, 'kwh': consumption_kwh, 'minutes': consumption_minutes},
            {'flow': 'grid_import', 'kw': grid_import_kw, 'kwh': grid_import_kwh, 'minutes': grid_import_minutes},
            {'flow': 'grid_export', 'kw': grid_export_kw, 'kwh': grid_export_kwh, 'minutes': grid_export_minutes},
            {'flow': 'battery_charge', 'kw': battery_charge_kw, 'kwh': battery_charge_kwh, 'minutes': battery_charge_minutes},
            {'flow': 'battery_discharge', 'kw': battery_discharge_kw, 'kwh': battery_discharge_kwh, 'minutes': battery_discharge_minutes}
        ]) as flow
    from core.interval_15min
    -- as below, so that only quarter hours with a fault are taken apart; no minutes and 0 minutes alike have no energy
    where
        case
            when coalesce(generation_minutes, 0) > 0
                then generation_minutes > 15 + 1e-9 or coalesce(abs(generation_kw * generation_minutes / 60 - generation_kwh) > 1e-6 + 1e-9 * abs(generation_kwh), true)
            else generation_kw is not null or generation_kwh is not null or coalesce(generation_minutes < 0, false)
        end
        or case
            when coalesce(consumption_minutes, 0) > 0
                then consumption_minutes > 15 + 1e-9 or coalesce(abs(consumption_kw * consumption_minutes / 60 - consumption_kwh) > 1e-6 + 1e-9 * abs(consumption_kwh), true)
            else consumption_kw is not null or consumption_kwh is not null or coalesce(consumption_minutes < 0, false)
        end
        or case
            when coalesce(grid_import_minutes, 0) > 0
                then grid_import_minutes > 15 + 1e-9 or coalesce(abs(grid_import_kw * grid_import_minutes / 60 - grid_import_kwh) > 1e-6 + 1e-9 * abs(grid_import_kwh), true)
            else grid_import_kw is not null or grid_import_kwh is not null or coalesce(grid_import_minutes < 0, false)
        end
        or case
            when coalesce(grid_export_minutes, 0) > 0
                then grid_export_minutes > 15 + 1e-9 or coalesce(abs(grid_export_kw * grid_export_minutes / 60 - grid_export_kwh) > 1e-6 + 1e-9 * abs(grid_export_kwh), true)
            else grid_export_kw is not null or grid_export_kwh is not null or coalesce(grid_export_minutes < 0, false)
        end
        or case
            when coalesce(battery_charge_minutes, 0) > 0
                then battery_charge_minutes > 15 + 1e-9 or coalesce(abs(battery_charge_kw * battery_charge_minutes / 60 - battery_charge_kwh) > 1e-6 + 1e-9 * abs(battery_charge_kwh), true)
            else battery_charge_kw is not null or battery_charge_kwh is not null or coalesce(battery_charge_minutes < 0, false)
        end
        or case
            when coalesce(battery_discharge_minutes, 0) > 0
                then battery_discharge_minutes > 15 + 1e-9 or coalesce(abs(battery_discharge_kw * battery_discharge_minutes / 60 - battery_discharge_kwh) > 1e-6 + 1e-9 * abs(battery_discharge_kwh), true)
            else battery_discharge_kw is not null or battery_discharge_kwh is not null or coalesce(battery_discharge_minutes < 0, false)
        end
)

select system_id, day, start_utc, flow.flow as flow, flow.kw as kw, flow.kwh as kwh, flow.minutes as minutes
from flow_quarter
where
    case
        when coalesce(flow.minutes, 0) > 0
        then flow.minutes > 15 + 1e-9 or coalesce(abs(flow.kw * flow.minutes / 60 - flow.kwh) > 1e-6 + 1e-9 * abs(flow.kwh), true)
        else flow.kw is not null or flow.kwh is not null or coalesce(flow.minutes < 0, false)
    end
