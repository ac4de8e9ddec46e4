update stored.interval_15min set start_utc = '2026-03-02 18:30' where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
