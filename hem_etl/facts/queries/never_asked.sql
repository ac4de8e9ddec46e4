-- The intervals in `wanted_interval` (interval_kind, day) that nobody has asked of the present systems, but for those of
-- months before the installation.
with
wanted as (
    select system.system_id, wanted_interval.interval_kind, wanted_interval.day
    from core.system as system
    cross join wanted_interval
    where system.gone_at_utc is null
),

before_installation as (
    select system_id, day
    from core.load
    where interval_kind = 'month' and outcome = 'before_installation'
)

select wanted.system_id, wanted.interval_kind, wanted.day
from wanted
anti join core.load as asked
    on
        asked.system_id = wanted.system_id
        and asked.interval_kind = wanted.interval_kind
        and asked.day = wanted.day
anti join before_installation
    on
        before_installation.system_id = wanted.system_id
        and before_installation.day = date_trunc('month', wanted.day)
