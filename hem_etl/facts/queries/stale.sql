-- Systems that lack the day $day: never asked, or with an outcome in `failed` or, its user's to mend, `blocked`.
select
    system.system_id,
    system.vendor,
    health.newest_complete_day,
    ledger.outcome,
    ledger.detail,
    coalesce(ledger.outcome in (select outcome from blocked), false) as needs_its_user
from core.system as system
left join core.load as ledger on ledger.system_id = system.system_id and ledger.interval_kind = 'day' and ledger.day = $day
left join marts.system_health as health on health.system_id = system.system_id
where
    system.gone_at_utc is null
    and (ledger.outcome is null or ledger.outcome in (select outcome from failed) or needs_its_user)
order by needs_its_user, health.newest_complete_day nulls first, system.system_id
