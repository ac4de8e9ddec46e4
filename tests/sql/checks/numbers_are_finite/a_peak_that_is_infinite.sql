update core.day_energy set generation_peak_kw = 'infinity' where system_id = 'a' and day = '2026-03-02';
