update stored.interval_15min set grid_export_kwmin = null, grid_export_minutes = -1 where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
