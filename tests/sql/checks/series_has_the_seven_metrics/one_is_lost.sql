delete from core.series where system_id = 'a' and day = '2026-03-02' and metric = 'soc';
