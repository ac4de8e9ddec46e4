-- name: own.price_window
-- meaning: The windows of each tariff in minutes of the local day, from the file seeds/tariff.csv.
-- grain: tariff × period of validity × window
-- key: tariff, valid_from, first_minute
-- null: never.
-- columns:
--   tariff | varchar | - | name of the tariff
--   valid_from | date | local date | first day
--   valid_to | date | local date | last day; 9999-12-31 where the file says none
--   first_minute | integer | min | minute of the wall clock at which the window begins
--   last_minute | integer | min | minute before which it ends
--   import_eur_per_kwh | double | EUR/kWh | price of a kWh from the grid
--   export_eur_per_kwh | double | EUR/kWh | paid for a kWh into the grid
--   standing_eur_per_day | double | EUR/day | charged for each day, whatever is used

select
    cast(tariff as varchar) as tariff,
    cast(valid_from as date) as valid_from,
    coalesce(try_cast(valid_to as date), date '9999-12-31') as valid_to,
    60 * cast(split_part(cast(starts_at as varchar), ':', 1) as integer)
    + cast(split_part(cast(starts_at as varchar), ':', 2) as integer) as first_minute,
    60 * cast(split_part(cast(ends_at as varchar), ':', 1) as integer)
    + cast(split_part(cast(ends_at as varchar), ':', 2) as integer) as last_minute,
    cast(import_eur_per_kwh as double) as import_eur_per_kwh,
    cast(export_eur_per_kwh as double) as export_eur_per_kwh,
    cast(standing_eur_per_day as double) as standing_eur_per_day
from own.tariff
