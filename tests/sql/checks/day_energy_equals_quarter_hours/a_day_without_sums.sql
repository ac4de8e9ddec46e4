delete from core.day_energy where system_id = 'a' and day = '2026-03-02';
