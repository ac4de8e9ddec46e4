update stored.reading set generation_kw = 'nan' where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
