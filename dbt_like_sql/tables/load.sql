-- name: core.load
-- meaning: The ledger: for every interval ever asked, what the last look brought and what the tables hold. A failed
--   look never hides that a day is loaded.
-- grain: system × interval
-- key: system_id, interval
-- local to: system_id, day
-- null: loaded_at_utc, payload_sha256, version: nothing of this interval was ever loaded; http_status: no answer
--   came; timezone: not loaded; detail: nothing to say.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   interval | varchar | - | the interval as the API takes it: 2026-03-29 or 2026-03
--   interval_kind | varchar | - | day or month
--   day | date | local date | the day, or the first day of the month
--   outcome | varchar | - | last look: loaded, unavailable, unreadable, before_installation, relink_needed, forbidden, refused, gone, unsupported, unreachable
--   http_status | integer | - | last look: HTTP status
--   detail | varchar | - | last look: one line that says more; "not asked" where the system's block decided
--   fetched_at_utc | timestamp | UTC | last look: when its answer was complete, or given up
--   attempts | integer | requests | last look: requests made, retries included
--   duration_ms | bigint | ms | last look: how long it took, retries and their waits included
--   loaded_at_utc | timestamp | UTC | when the content that the tables hold was loaded
--   payload_sha256 | varchar | - | hash of the body that the tables hold
--   version | integer | - | version of the content that the tables hold, 1 for the first
--   state | varchar | - | open until the local end, then provisional, then settled
--   answered_at_utc | timestamp | UTC | newest successful answer, changed or not
--   ends_at_utc | timestamp | UTC | local end of the interval
--   timezone | varchar | - | IANA zone that the loaded day was read in
--   loaded_outcome | varchar | - | loaded or unavailable: what the tables hold, whatever the last look brought
--   content_sha256 | varchar | - | hash of the newest content as it was read, spelling and order aside

create table if not exists core.load (
    system_id varchar not null,
    interval varchar not null,
    interval_kind varchar,
    day date,
    outcome varchar,
    http_status integer,
    detail varchar,
    fetched_at_utc timestamp,
    attempts integer,
    duration_ms bigint,
    loaded_at_utc timestamp,
    payload_sha256 varchar,
    version integer,
    state varchar,
    answered_at_utc timestamp,
    ends_at_utc timestamp,
    timezone varchar,
    loaded_outcome varchar,
    content_sha256 varchar
);
