-- name: core.finding
-- meaning: What a rule noticed about the data. No rule edits a value.
-- grain: one finding
-- key: none
-- null: day: the finding is about the system; metric: it is about the whole day.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   interval | varchar | - | the interval whose body showed it: 2026-03-29, or 2026-03 (day is then the month's first)
--   metric | varchar | - | the metric concerned
--   rule | varchar | - | name of the rule, see docs/validation.md
--   severity | varchar | - | error: structure; warning: coverage or plausibility
--   evidence | varchar | - | times, values and limits that let a person check it
--   found_at_utc | timestamp | UTC | when the body was fetched that showed it; for a comparison with the day before, the later of both days

create table if not exists core.finding (
    system_id varchar,
    day date,
    interval varchar,
    metric varchar,
    rule varchar,
    severity varchar,
    evidence varchar,
    found_at_utc timestamp
);
