delete from core.load where system_id = 'a' and interval = '2026-03-02';
