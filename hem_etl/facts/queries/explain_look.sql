-- The ledger's row of an interval.
select
    interval, outcome, http_status, detail, attempts, fetched_at_utc, answered_at_utc, loaded_at_utc, payload_sha256,
    version, state
from core.load
where system_id = $system_id and interval = $interval
