-- name: staging.month_battery
-- meaning: What went into the battery and came out of it in each month and the two before it: less than a battery holds is lost in it then.
-- grain: system × month with a loaded day
-- key: system_id, month
-- null: a sum: no day has both battery flows.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   month | date | local date | first day of the newest of the three months
--   charge_kwh | double | kWh | battery_charge over the quarter hours that both battery flows cover whole
--   discharge_kwh | double | kWh | battery_discharge over the same quarter hours
--   days | bigint | days | days of these three months with both battery flows

-- formulas: battery round trip
select
    system_id,
    month,
    exact_kwh(sum(exact_units(paired_battery_charge_kwh)) over three_months) as charge_kwh,
    exact_kwh(sum(exact_units(paired_battery_discharge_kwh)) over three_months) as discharge_kwh,
    cast(sum(battery_days) over three_months as bigint) as days
from staging.month_energy
where battery_days is not null
window three_months as (
    partition by system_id order by month range between interval 2 months preceding and current row
)
