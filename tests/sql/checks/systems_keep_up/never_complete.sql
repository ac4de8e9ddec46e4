update core.series set valid_hours = 12 where system_id = 'b';
