-- name: core.loaded_segment
-- meaning: Landing segments whose contents the tables hold.
-- grain: one row per segment
-- key: segment
-- null: never.
-- columns:
--   segment | varchar | - | name of the segment
--   loaded_at_utc | timestamp | UTC | when it was loaded

create table if not exists core.loaded_segment (
    segment varchar not null,
    loaded_at_utc timestamp
);
