insert into stored.interval_15min by name select system_id, day, start_utc from stored.reading_5min where start_utc = '2026-03-03 06:00';
