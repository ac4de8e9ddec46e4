delete from core.local_day where day = '2026-03-20';
