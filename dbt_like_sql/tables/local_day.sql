-- name: core.local_day
-- meaning: The calendar of every zone seen, whole months at a time, so that no SQL converts zones.
-- grain: zone × date
-- key: timezone, day
-- null: never.
-- columns:
--   timezone | varchar | - | IANA zone
--   day | date | local date | date in that zone
--   start_utc | timestamp | UTC | first instant of the date
--   end_utc | timestamp | UTC | first instant of the next date
--   hours | double | h | length of the date: 24, and 23, 23.5, 24.5 or 25 where a clock changes

create table if not exists core.local_day (
    timezone varchar not null,
    day date not null,
    start_utc timestamp,
    end_utc timestamp,
    hours double
);
