update core.day_version set version = 2 where system_id = 'a' and day = '2026-03-02';
