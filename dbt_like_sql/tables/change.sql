-- name: core.change
-- meaning: What changed since the last publish; empty in the published file.
-- grain: one row per noted change; the same may be noted twice
-- key: none
-- null: day: every day of the system; system_id: everything may have changed.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | - | local day

create table if not exists core.change (
    system_id varchar,
    day date
);
