-- name: checks.all_import_is_priced
-- meaning: The import that has a price is the import of the day.
-- severity: structural
-- failing row: a system and day of which some import has no price, or two

select cost.system_id, cost.day, cost.priced_import_kwh, daily.grid_import_kwh
from own.cost_daily as cost
inner join marts.daily_energy as daily on daily.system_id = cost.system_id and daily.day = cost.day
where abs(coalesce(cost.priced_import_kwh, 0) - coalesce(daily.grid_import_kwh, 0)) > 1e-6
