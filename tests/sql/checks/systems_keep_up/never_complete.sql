update core.series set valid_minutes = 720 where system_id = 'b';
