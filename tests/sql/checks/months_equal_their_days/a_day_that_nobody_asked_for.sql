delete from core.load where system_id = 'a' and day = '2026-03-02'; delete from core.reported_day where system_id = 'a' and day = '2026-03-02';
