-- name: own.cost_monthly
-- meaning: The days of own.cost_daily added up by month, beside how many of them have a cost at all.
-- grain: system × calendar month
-- key: system_id, month
-- null: a sum of nothing; *_low, *_high: a day of the month is not loaded or lacks the flow, and could hold anything.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   month | date | local date | first day of the month
--   days | bigint | days | days with a row
--   known_days | bigint | days | of these, days with import and export known at least in part
--   import_eur | double | EUR | import of the time that is known
--   export_eur | double | EUR | export of the time that is known
--   standing_eur | double | EUR | standing charge of the days with a row
--   cost_eur | double | EUR | import + standing charge − export, of the time that is known
--   cost_eur_low | double | EUR | the least it can be, whatever the missing time of these days held
--   cost_eur_high | double | EUR | the most it can be

select
    system_id,
    cast(date_trunc('month', day) as date) as month,
    count(*) as days,
    count(cost_eur) as known_days,
    sum(import_eur) as import_eur,
    sum(export_eur) as export_eur,
    sum(standing_eur) as standing_eur,
    sum(import_eur) + sum(standing_eur) - sum(export_eur) as cost_eur,
    case when count(cost_eur_low) = count(*) then sum(cost_eur_low) end as cost_eur_low,
    case when count(cost_eur_high) = count(*) then sum(cost_eur_high) end as cost_eur_high
from own.cost_daily
group by 1, 2
