update core.day_energy set generation_kwh = generation_kwh + 0.1 where system_id = 'a' and day = '2026-03-02';
