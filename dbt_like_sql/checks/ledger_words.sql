-- name: checks.ledger_words
-- meaning: The ledger speaks the contract's words, and its labels are its days.
-- severity: structural
-- local to: system_id, day
-- failing row: a row of core.load that does not

select system_id, interval, interval_kind, day, outcome, state
from core.load
where
    outcome is null
    or outcome not in (
        'loaded', 'unavailable', 'unreadable', 'before_installation', 'relink_needed', 'forbidden', 'refused', 'gone',
        'unsupported', 'unreachable'
    )
    or state not in ('open', 'provisional', 'settled')
    or interval_kind not in ('day', 'month')
    or interval <> case when interval_kind = 'day' then strftime(day, '%Y-%m-%d') else strftime(day, '%Y-%m') end
    or (interval_kind = 'month' and dayofmonth(day) <> 1)
