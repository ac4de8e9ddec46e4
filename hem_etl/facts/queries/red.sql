-- Intervals of systems that are not gone whose last look ended in one of the outcomes in `failed`; newest look first.
select
    ledger.system_id,
    system.vendor,
    system.user_id,
    ledger.interval,
    ledger.outcome,
    ledger.detail,
    ledger.fetched_at_utc as last_look_utc
from core.load as ledger
left join core.system as system on system.system_id = ledger.system_id
where ledger.outcome in (select outcome from failed) and system.gone_at_utc is null
order by ledger.fetched_at_utc desc, ledger.system_id, ledger.interval desc
