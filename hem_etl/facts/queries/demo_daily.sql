-- A page for the first five minutes: each home on $day.
select
    vendor,
    generation_kwh as generation,
    consumption_kwh as consumption,
    grid_import_kwh as import,
    grid_export_kwh as export,
    battery_charge_kwh as charge,
    battery_discharge_kwh as discharge,
    is_complete as complete
from marts.daily_energy
where day = $day
order by vendor, system_id
