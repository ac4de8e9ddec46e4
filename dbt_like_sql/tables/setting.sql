-- name: core.setting
-- meaning: Settings that the models read, as they were at the last load: complete_coverage, over_limit_kw,
--   settle_days, event_days, gap_generation_kw, gap_consumption_kw; and the limits that all days were judged with.
-- grain: one row per setting
-- key: name
-- null: never.
-- columns:
--   name | varchar | - | complete_coverage (0–1: a complete day covers at least this much), over_limit_kw (kW), settle_days and event_days (days), gap_generation_kw and gap_consumption_kw (kW: what a home could have had at most while nothing is known); limits of the rules: spike_kw, night_generation_kw, simultaneous_kw (kW), stale_buckets (buckets), balance_tolerance, balance_tolerance:<vendor> (0–1)
--   value | double | see name | value of the setting

create table if not exists core.setting (
    name varchar not null,
    value double
);
