-- name: own.cost_daily
-- meaning: What each home paid for its import and got for its export on a day, quarter hour by quarter hour, and what it could
--   be at least and at most where quarter hours are missing.
-- grain: system × local day of marts.daily_energy for which the home has a price
-- key: system_id, day
-- null: import_eur, priced_import_kwh: no import known; export_eur: no export known; *_low, *_high: the day has no such flow, or is
--   not loaded; cost_*: one of its parts is NULL.
-- materialized: table
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   tariff | varchar | - | name of the tariff
--   priced_import_kwh | double | kWh | import that has a price: all of the day, where the windows have no hole
--   import_coverage | double | 0–1 | share of the local day with valid buckets of grid_import
--   export_coverage | double | 0–1 | share of the local day with valid buckets of grid_export
--   import_eur | double | EUR | import of the time that is known
--   import_eur_low | double | EUR | the least it can be, whatever the missing time held
--   import_eur_high | double | EUR | the most it can be: 10 kW (core.setting), or the day's peak if higher, at the dearest price
--   export_eur | double | EUR | export of the time that is known
--   export_eur_low | double | EUR | the least it can be
--   export_eur_high | double | EUR | the most it can be
--   standing_eur | double | EUR | standing charge
--   cost_eur | double | EUR | import + standing charge − export, of the time that is known
--   cost_eur_low | double | EUR | the least it can be
--   cost_eur_high | double | EUR | the most it can be

with
-- a quarter hour that a clock repeats is there twice, one that it skips is not there: both as the home lived them
priced as (
    select
        quarter.system_id,
        quarter.day,
        sum(quarter.grid_import_kwh) as priced_import_kwh,
        sum(quarter.grid_import_kwh * price.import_eur_per_kwh) as import_eur,
        sum(quarter.grid_export_kwh * price.export_eur_per_kwh) as export_eur
    from marts.interval_15min as quarter
    inner join own.home_price as price
        on
            price.system_id = quarter.system_id
            and quarter.day between price.valid_from and price.valid_to
            and 60 * hour(quarter.start_local) + minute(quarter.start_local) >= price.first_minute
            and 60 * hour(quarter.start_local) + minute(quarter.start_local) < price.last_minute
    group by quarter.system_id, quarter.day
),

day as (
    select
        daily.system_id,
        daily.day,
        any_value(price.tariff) as tariff,
        any_value(daily.grid_import_coverage) as import_coverage,
        any_value(daily.grid_export_coverage) as export_coverage,
        any_value(daily.day_hours) as day_hours,
        any_value(price.standing_eur_per_day) as standing_eur,
        greatest(max(price.import_eur_per_kwh), 0) as dearest_import,
        least(min(price.import_eur_per_kwh), 0) as cheapest_import,
        greatest(max(price.export_eur_per_kwh), 0) as dearest_export,
        least(min(price.export_eur_per_kwh), 0) as cheapest_export
    from marts.daily_energy as daily
    inner join own.home_price as price
        on price.system_id = daily.system_id and daily.day between price.valid_from and price.valid_to
    group by daily.system_id, daily.day
),

most as (
    select
        max(value) filter (where name = 'gap_consumption_kw') as import_kw,
        max(value) filter (where name = 'gap_generation_kw') as export_kw
    from core.setting
),

-- what the missing time could have held
gap as (
    select
        day.system_id,
        day.day,
        (1 - day.import_coverage) * day.day_hours * greatest(most.import_kw, energy.grid_import_peak_kw) as import_kwh,
        (1 - day.export_coverage) * day.day_hours * greatest(most.export_kw, energy.grid_export_peak_kw) as export_kwh
    from day
    cross join most
    left join core.day_energy as energy on energy.system_id = day.system_id and energy.day = day.day
),

bounds as (
    select
        day.system_id,
        day.day,
        day.tariff,
        priced.priced_import_kwh,
        day.import_coverage,
        day.export_coverage,
        priced.import_eur,
        coalesce(priced.import_eur, 0) + gap.import_kwh * day.cheapest_import as import_eur_low,
        coalesce(priced.import_eur, 0) + gap.import_kwh * day.dearest_import as import_eur_high,
        priced.export_eur,
        coalesce(priced.export_eur, 0) + gap.export_kwh * day.cheapest_export as export_eur_low,
        coalesce(priced.export_eur, 0) + gap.export_kwh * day.dearest_export as export_eur_high,
        day.standing_eur
    from day
    inner join gap on gap.system_id = day.system_id and gap.day = day.day
    left join priced on priced.system_id = day.system_id and priced.day = day.day
)

select
    system_id,
    day,
    tariff,
    priced_import_kwh,
    import_coverage,
    export_coverage,
    import_eur,
    import_eur_low,
    import_eur_high,
    export_eur,
    export_eur_low,
    export_eur_high,
    standing_eur,
    import_eur + standing_eur - export_eur as cost_eur,
    import_eur_low + standing_eur - export_eur_high as cost_eur_low,
    import_eur_high + standing_eur - export_eur_low as cost_eur_high
from bounds
