update core.load set interval = '2026-03-09' where system_id = 'a' and day = '2026-03-02';
