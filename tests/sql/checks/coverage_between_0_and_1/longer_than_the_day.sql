update core.series set valid_hours = 25 where system_id = 'a' and day = '2026-03-02' and metric = 'soc';
