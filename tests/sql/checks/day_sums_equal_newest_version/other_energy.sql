update core.day_version set consumption_kwh = consumption_kwh + 0.001 where system_id = 'a' and day = '2026-03-02';
