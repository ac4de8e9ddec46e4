insert into core.day_version (system_id, day, version, fetched_at_utc, cause, was_settled, applied, generation_kwh)
values ('a', '2026-03-02', 2, '2026-03-20', 'answer', true, true, 50);
