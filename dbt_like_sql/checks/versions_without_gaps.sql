-- name: checks.versions_without_gaps
-- meaning: The versions of a day are 1, 2, 3, … and the ledger of a loaded day names the last one.
-- severity: structural
-- local to: system_id, day
-- failing row: a system and day with its versions and the ledger's

with
versions as (
    select system_id, day, count(*) as versions, min(version) as first_version, max(version) as last_version
    from core.day_version
    group by system_id, day
),

loaded as (
    select system_id, day, version
    from core.load
    where interval_kind = 'day' and loaded_at_utc is not null
)

select
    coalesce(versions.system_id, loaded.system_id) as system_id,
    coalesce(versions.day, loaded.day) as day,
    versions.versions,
    versions.first_version,
    versions.last_version,
    loaded.version as loaded_version
from versions
full join loaded on loaded.system_id = versions.system_id and loaded.day = versions.day
where
    versions.first_version is distinct from 1
    or versions.last_version is distinct from versions.versions
    or loaded.version is distinct from versions.last_version
