delete from core.day_version where system_id = 'a' and day = '2026-03-02';
