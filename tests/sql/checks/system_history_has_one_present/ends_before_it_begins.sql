update core.system_history set valid_to_utc = '2026-02-01' where system_id = 'b';
