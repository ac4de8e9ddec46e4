update core.day_version set consumption_kwh = null where system_id = 'a' and day = '2026-03-02';
