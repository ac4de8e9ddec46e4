insert into core.local_day (timezone, day, start_utc, end_utc, hours)
select 'UTC', day, day::timestamp, (day + 1)::timestamp, 24 from core.local_day;
update core.load set timezone = 'UTC' where system_id = 'a' and day = '2026-03-02' and interval_kind = 'day';
