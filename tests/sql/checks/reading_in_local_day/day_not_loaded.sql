update core.load set loaded_at_utc = null where system_id = 'a' and day = '2026-03-02';
