insert into stored.reading by name select system_id, day, start_utc from core.reading where system_id = 'a' and start_utc = '2026-03-03 06:05';
