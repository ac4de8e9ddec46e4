update core.load set state = 'done' where system_id = 'a' and day = '2026-03-02';
