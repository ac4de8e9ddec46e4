update core.reading set utc_offset_minutes = 300 where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
