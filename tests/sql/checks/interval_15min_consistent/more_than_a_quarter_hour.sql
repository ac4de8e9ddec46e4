update core.interval_15min set grid_import_minutes = 16, grid_import_kwh = grid_import_kw * 16 / 60 where system_id = 'a' and day = '2026-03-02' and start_utc = '2026-03-02 06:00';
