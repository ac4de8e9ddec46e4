update core.series set edited_buckets = 0 where system_id = 'b' and day = '2026-03-02' and metric = 'soc';
