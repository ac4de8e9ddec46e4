update core.load set version = 2 where system_id = 'a' and day = '2026-03-02';
