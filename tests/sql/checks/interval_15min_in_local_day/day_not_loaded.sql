delete from core.load where system_id = 'a' and day = '2026-03-02';
