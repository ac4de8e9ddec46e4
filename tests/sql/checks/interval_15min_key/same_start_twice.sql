insert into stored.interval_15min select * from stored.interval_15min where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
