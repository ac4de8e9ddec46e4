update core.day_version set consumption_coverage = 0.99 where system_id = 'a' and day = '2026-03-02';
