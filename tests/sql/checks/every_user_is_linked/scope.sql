update core.series set missing_scope = 'battery:read:data' where system_id = 'b' and metric = 'soc';
