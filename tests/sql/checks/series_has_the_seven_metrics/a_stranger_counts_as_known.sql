update core.series set metric = 'heat' where system_id = 'a' and day = '2026-03-02' and metric = 'soc';
