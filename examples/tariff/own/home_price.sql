-- name: own.home_price
-- meaning: The windows that a home pays by: of its own line in seeds/home_tariff.csv, else of the line with *.
-- grain: system × window
-- key: system_id, valid_from, first_minute
-- null: never.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   tariff | varchar | - | name of the tariff
--   valid_from | date | local date | first day
--   valid_to | date | local date | last day
--   first_minute | integer | min | minute of the wall clock at which the window begins
--   last_minute | integer | min | minute before which it ends
--   import_eur_per_kwh | double | EUR/kWh | price of a kWh from the grid
--   export_eur_per_kwh | double | EUR/kWh | paid for a kWh into the grid
--   standing_eur_per_day | double | EUR/day | charged for each day

with
chosen as (
    select system.system_id, coalesce(mine.tariff, everybody.tariff) as tariff
    from staging.system as system
    left join own.home_tariff as mine on mine.system_id = system.system_id
    left join own.home_tariff as everybody on everybody.system_id = '*'
)

select
    chosen.system_id,
    price.tariff,
    price.valid_from,
    price.valid_to,
    price.first_minute,
    price.last_minute,
    price.import_eur_per_kwh,
    price.export_eur_per_kwh,
    price.standing_eur_per_day
from chosen
inner join own.price_window as price on price.tariff = chosen.tariff
