-- The intervals in `wanted_label` (label) that nobody has asked of the present systems, but for those of months before
-- the installation.
with
wanted as (
    select system.system_id, wanted_label.label
    from core.system as system
    cross join wanted_label
    where system.gone_at_utc is null
),

before_installation as (
    select system_id, interval
    from core.load
    where interval_kind = 'month' and outcome = 'before_installation'
)

select wanted.system_id, wanted.label
from wanted
anti join core.load as asked on asked.system_id = wanted.system_id and asked.interval = wanted.label
anti join before_installation
    on before_installation.system_id = wanted.system_id and before_installation.interval = left(wanted.label, 7)
