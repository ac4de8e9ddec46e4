insert into core.load (system_id, interval, interval_kind, day, outcome, fetched_at_utc, state, ends_at_utc)
values ('b', '2026-03-07', 'day', '2026-03-07', 'unreachable', '2026-03-09', 'provisional', '2026-03-07 18:30');
