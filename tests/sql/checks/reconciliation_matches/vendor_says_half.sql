update core.reported_day set generation_kwh = 24 where system_id = 'a' and day = '2026-03-02';
