-- name: checks.settings_are_there
-- meaning: core.setting holds every setting that the models read.
-- severity: structural
-- failing row: a setting that is missing or has no value

with
needed as (
    select names.name
    from (values ('complete_coverage'), ('over_limit_kw'), ('settle_days'), ('event_days'), ('gap_generation_kw'), ('gap_consumption_kw')) as names (name)
)

select needed.name
from needed
left join core.setting as setting on setting.name = needed.name
where setting.value is null
