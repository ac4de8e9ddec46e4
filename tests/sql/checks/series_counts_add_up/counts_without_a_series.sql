update core.series set is_available = false where system_id = 'a' and day = '2026-03-02' and metric = 'soc';
