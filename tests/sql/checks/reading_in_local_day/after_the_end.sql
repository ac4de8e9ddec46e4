update stored.reading set start_utc = start_utc + interval 1 day where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
