update core.series set valid_minutes = 1500 where system_id = 'a' and day = '2026-03-02' and metric = 'soc';
