delete from stored.interval_15min where system_id = 'a' and day = '2026-03-02';
