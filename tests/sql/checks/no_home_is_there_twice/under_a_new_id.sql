update core.load set content_sha256 = day::varchar where interval_kind = 'day';
