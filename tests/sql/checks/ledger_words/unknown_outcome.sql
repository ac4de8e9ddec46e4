update core.load set outcome = 'fine' where system_id = 'a' and day = '2026-03-02';
