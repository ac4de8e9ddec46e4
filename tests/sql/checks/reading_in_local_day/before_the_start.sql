update stored.reading set start_utc = '2026-03-01 18:29' where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
