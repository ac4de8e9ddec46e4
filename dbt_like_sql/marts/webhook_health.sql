-- name: marts.webhook_health
-- meaning: How webhooks arrive, day by day: how many, how late, how often twice, what could not be read, whether Enode's
--   heartbeats come and what it still holds back. Of the last event_days days: of older ones not every event is kept.
-- grain: UTC day on which any delivery was received
-- key: day
-- null: lag_seconds, lag_most_seconds: no event says when it happened; handled_seconds: none led to a look;
--   heartbeat_gap_minutes: fewer than two heartbeats yet; pending_most: no heartbeat names it.
-- columns:
--   day | date | UTC | day on which they were received
--   deliveries | bigint | deliveries | deliveries that were kept, repetitions among them
--   events | bigint | events | events in them
--   duplicates | bigint | events | events that repeat an earlier one
--   unreadable | bigint | events | events, or whole deliveries, that cannot be read
--   unknown_names | bigint | events | events whose name we do not know
--   unknown_fields | bigint | events | events of a name that we know with a field that we do not: Enode tells more, or spells it otherwise
--   waiting | bigint | events | events that no look has followed yet
--   lag_seconds | double | s | median time from when it happened, by the sender, to when we had it
--   lag_most_seconds | double | s | the longest of them
--   handled_seconds | double | s | median time from when we had it to the look that it led to
--   heartbeats | bigint | events | heartbeats
--   heartbeat_gap_minutes | double | min | longest time between two heartbeats, the later of them on this day
--   pending_most | bigint | events | the most events that a heartbeat says Enode holds back

with
setting as (
    select max(value) filter (where name = 'event_days') as event_days
    from core.setting
),

since as (
    select cast(max(event.received_at_utc) as date) - cast(any_value(setting.event_days) as integer) as day
    from core.event as event
    cross join setting
),

beats as (
    select
        received_at_utc,
        event_id,
        date_diff('second', lag(received_at_utc) over (order by received_at_utc, event_id), received_at_utc) / 60 as gap_minutes
    from core.event
    where event = 'system:heartbeat' and duplicate_of is null
)

select
    cast(event.received_at_utc as date) as day,
    count(distinct (event.received_at_utc, event.delivery_id)) as deliveries,
    count(*) as events,
    count(event.duplicate_of) as duplicates,
    count(*) filter (where event.event is null) as unreadable,
    count(*) filter (where event.led_to = 'recorded: no name that we know') as unknown_names,
    count(*) filter (
        where event.led_to is distinct from 'recorded: no name that we know'
        and event.event is not null
        and not list_has_all(['event', 'createdAt', 'version', 'user', 'hemSystem', 'updatedFields', 'pendingEvents'], json_keys(event.raw))
    ) as unknown_fields,
    count(*) filter (where event.handled_at_utc is null) as waiting,
    median(date_diff('millisecond', event.created_at_utc, event.received_at_utc)) / 1000 as lag_seconds,
    max(date_diff('millisecond', event.created_at_utc, event.received_at_utc)) / 1000 as lag_most_seconds,
    median(date_diff('millisecond', event.received_at_utc, event.handled_at_utc))
        filter (where event.led_to not like 'recorded%' and event.duplicate_of is null and event.event is not null) / 1000 as handled_seconds,
    count(*) filter (where event.event = 'system:heartbeat') as heartbeats,
    max(beats.gap_minutes) as heartbeat_gap_minutes,
    max(try_cast(json_extract_string(event.raw, '$.pendingEvents') as bigint)) filter (where event.event = 'system:heartbeat') as pending_most
from core.event as event
cross join since
left join beats on beats.event_id = event.event_id
where cast(event.received_at_utc as date) >= since.day
group by cast(event.received_at_utc as date)
