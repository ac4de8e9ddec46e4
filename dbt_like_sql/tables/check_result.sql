-- name: core.check_result
-- meaning: What each SQL check found, run after run.
-- grain: check × run
-- key: check_name, at_utc
-- null: sample: no failing rows.
-- columns:
--   check_name | varchar | - | file stem of the check, or <schema>_<model>_key for the key that a header states
--   severity | varchar | - | error: structural, blocks publishing; warning: plausibility
--   failing_rows | bigint | rows | rows that the check returned
--   sample | varchar | - | up to five of them as text
--   at_utc | timestamp | UTC | when the check ran
--   scope | varchar | - | all: it ran on everything; changed: on the days that had changed since the publish before

create table if not exists core.check_result (
    check_name varchar not null,
    severity varchar,
    failing_rows bigint,
    sample varchar,
    at_utc timestamp not null,
    scope varchar
);
