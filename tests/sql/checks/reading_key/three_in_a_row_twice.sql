insert into stored.reading_5min select * from stored.reading_5min where start_utc = '2026-03-03 06:00';
