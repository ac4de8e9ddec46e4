insert into stored.reading select * from stored.reading where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
