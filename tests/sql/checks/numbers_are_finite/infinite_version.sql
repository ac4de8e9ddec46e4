update core.day_version set generation_coverage = 'inf' where system_id = 'a' and day = '2026-03-02';
