insert into core.day_version (system_id, day, version, fetched_at_utc, was_settled, applied, generation_kwh)
values ('a', '2026-03-02', 2, '2026-03-20', true, true, 50);
