update stored.interval_15min set grid_import_minutes = 16, grid_import_kwmin = grid_import_kwmin * 16 / 15 where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
