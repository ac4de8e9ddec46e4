-- name: core.zone
-- meaning: The time zones whose days core.local_day holds, and the rules they were made by.
-- grain: one row per time zone
-- key: timezone
-- null: rules_sha256: the rules were found in no file.
-- columns:
--   timezone | varchar | - | IANA zone
--   rules_sha256 | varchar | - | fingerprint of the zone's rules in the tz database in use

create table if not exists core.zone (
    timezone varchar not null,
    rules_sha256 varchar
);
