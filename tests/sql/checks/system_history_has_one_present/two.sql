update core.system_history set valid_to_utc = null where system_id = 'a';
