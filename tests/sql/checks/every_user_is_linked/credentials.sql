update core.load set outcome = 'relink_needed', fetched_at_utc = '2026-04-01' where system_id = 'b';
