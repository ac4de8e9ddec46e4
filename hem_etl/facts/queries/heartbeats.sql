-- The newest heartbeat, the newest thing that is known at all, and since when every heartbeat says that events are held
-- back.
with
beats as (
    select
        received_at_utc,
        coalesce(try_cast(json_extract_string(raw, '$.pendingEvents') as bigint), 0) as pending
    from core.event
    where event = 'system:heartbeat' and duplicate_of is null
),

newest as (
    select max(received_at_utc) as at_utc, max(received_at_utc) filter (where pending = 0) as last_good_at_utc
    from beats
)

select
    newest.at_utc,
    (select greatest(max(fetched_at_utc), newest.at_utc) from core.load) as newest_look_utc,
    min(beats.received_at_utc) as pending_since_utc
from newest
left join beats on beats.pending > 0 and beats.received_at_utc > coalesce(newest.last_good_at_utc, timestamp '-infinity')
group by newest.at_utc
