-- name: core.override
-- meaning: Corrections by hand, as the operator's files state them: what counts in place of what the vendor sent, who
--   says so, why, and from when to when. The newest file is in force as a whole.
-- grain: row of a file × period in which it was in force
-- key: override_id, valid_from_utc
-- null: value: the buckets are ignored; start_utc, end_utc: the row names local days; valid_to_utc: in force.
-- columns:
--   override_id | varchar | - | hash of the row's content: the same row has the same id in every file
--   system_id | varchar | - | Enode's id of the system
--   metric | varchar | - | one of the six flows or soc
--   start | varchar | - | first local day, or first instant, as stated
--   end | varchar | - | last local day (included), or first instant after, as stated
--   value | double | kW or % | mean power of each bucket, or the state of charge
--   author | varchar | - | who corrects
--   reason | varchar | - | why
--   first_day | date | local date | first local day that can hold a bucket of it, in any zone
--   last_day | date | local date | last local day that can hold a bucket of it, in any zone
--   start_utc | timestamp | UTC | buckets that begin at or after it
--   end_utc | timestamp | UTC | buckets that begin before it
--   valid_from_utc | timestamp | UTC | since when the row is in force
--   valid_to_utc | timestamp | UTC | until when it was

create table if not exists core.override (
    override_id varchar not null,
    system_id varchar not null,
    metric varchar not null,
    "start" varchar,
    "end" varchar,
    value double,
    author varchar,
    reason varchar,
    first_day date,
    last_day date,
    start_utc timestamp,
    end_utc timestamp,
    valid_from_utc timestamp not null,
    valid_to_utc timestamp
);
