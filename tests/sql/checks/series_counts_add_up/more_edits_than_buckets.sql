update core.series set edited_buckets = 97 where system_id = 'a' and day = '2026-03-02' and metric = 'soc';
