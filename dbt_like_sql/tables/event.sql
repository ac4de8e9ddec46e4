-- name: core.event
-- meaning: What webhooks announced, event by event: when we had it, and what it led to. An event says that a look is
--   worth while; every number and state comes from the look. What grows with the fleet (updates, what cannot be read,
--   names that we do not know) goes event_days after the newest event came, once nothing waits for it; landing keeps it.
-- grain: event of a delivery
-- key: event_id
-- null: delivery_id: none was sent; event: the delivery, or this item of it, cannot be read; system_id, user_id,
--   created_at_utc: it does not say; duplicate_of: nothing like it came in the week before; handled_at_utc: nothing came of it yet;
--   raw: the delivery is no list of events.
-- columns:
--   event_id | varchar | - | made from where the delivery was kept, and the event's place in it
--   delivery_id | varchar | - | as the sender names the delivery; nobody signs it
--   position | integer | - | the event's place in its delivery, from 0
--   event | varchar | - | its name, as sent
--   system_id | varchar | - | Enode's id of the system that it is about
--   user_id | varchar | - | your id of the user that it is about
--   created_at_utc | timestamp | UTC | when it happened, by the sender
--   received_at_utc | timestamp | UTC | when the delivery was on our disk
--   duplicate_of | varchar | - | the event_id of the first event with the same content in the week before
--   handled_at_utc | timestamp | UTC | the look that it led to; where it leads to none, when it was received
--   led_to | varchar | - | what that look brought, or why there is none
--   raw | varchar | - | the event as sent, as JSON

create table if not exists core.event (
    event_id varchar not null,
    delivery_id varchar,
    position integer not null,
    event varchar,
    system_id varchar,
    user_id varchar,
    created_at_utc timestamp,
    received_at_utc timestamp not null,
    duplicate_of varchar,
    handled_at_utc timestamp,
    led_to varchar,
    raw varchar
);
