-- Two homes in Kolkata (no clock changes) over three settled days of March 2026, quarter-hour readings that never change:
-- 2 kW produced, 1 kW used, 0.5 kW drawn, 1.5 kW fed in; home b has no battery. The last day of home a is kept as readings
-- of five minutes, three in a row.
insert into core.system (system_id, user_id, vendor, timezone, is_reachable, first_seen_utc)
values
    ('a', 'ann', 'TESLA', 'Asia/Kolkata', true, '2026-03-01'),
    ('b', 'bob', 'SMA', 'Asia/Kolkata', true, '2026-03-01');

insert into core.system_history (system_id, vendor, timezone, valid_from_utc, valid_to_utc)
values
    ('a', 'TESLA', null, '2026-03-01', '2026-03-02'),
    ('a', 'TESLA', 'Asia/Kolkata', '2026-03-02', null),
    ('b', 'SMA', 'Asia/Kolkata', '2026-03-01', null);

insert into core.load (
    system_id, interval, interval_kind, day, outcome, http_status, fetched_at_utc, attempts, loaded_at_utc,
    payload_sha256, version, state, answered_at_utc, ends_at_utc, timezone
)
select
    system.system_id, strftime(local_day.day, '%Y-%m-%d'), 'day', local_day.day, 'loaded', 200,
    local_day.end_utc + interval 8 day, 1, local_day.end_utc + interval 8 day, 'sha', 1, 'settled',
    local_day.end_utc + interval 8 day, local_day.end_utc, 'Asia/Kolkata'
from core.system as system
cross join core.local_day as local_day
where local_day.day <= '2026-03-03'
union all
select
    system_id, '2026-03', 'month', '2026-03-01', 'loaded', 200, '2026-03-11', 1, '2026-03-11', 'sha', 1, 'open',
    '2026-03-11', '2026-03-31 18:30', 'Asia/Kolkata'
from core.system;

insert into stored.reading
select
    load.system_id, load.day, quarter.start_utc, 330, 2, 1, 0.5, 1.5,
    case when load.system_id = 'a' then 0 end, case when load.system_id = 'a' then 0 end,
    case when load.system_id = 'a' then 80 end, false
from core.load as load
inner join core.local_day as local_day on local_day.day = load.day
cross join unnest(
    generate_series(local_day.start_utc, local_day.end_utc - interval 15 minute, interval 15 minute)
) as quarter (start_utc)
where load.interval_kind = 'day' and not (load.system_id = 'a' and load.day = '2026-03-03');

insert into stored.reading_5min
select
    load.system_id, load.day, quarter.start_utc, 330,
    2, 2, 2, 1, 1, 1, 0.5, 0.5, 0.5, 1.5, 1.5, 1.5, 0, 0, 0, 0, 0, 0, 80, 80, 80
from core.load as load
inner join core.local_day as local_day on local_day.day = load.day
cross join unnest(
    generate_series(local_day.start_utc, local_day.end_utc - interval 15 minute, interval 15 minute)
) as quarter (start_utc)
where load.interval_kind = 'day' and load.system_id = 'a' and load.day = '2026-03-03';

insert into stored.interval_15min by name
select
    system_id, day, start_utc, utc_offset_minutes, soc_pct, battery_charge_kw is not null as is_balanced,
    generation_kw * 15 as generation_kwmin,
    consumption_kw * 15 as consumption_kwmin,
    grid_import_kw * 15 as grid_import_kwmin,
    grid_export_kw * 15 as grid_export_kwmin,
    battery_charge_kw * 15 as battery_charge_kwmin,
    battery_discharge_kw * 15 as battery_discharge_kwmin,
    case when generation_kw is not null then 15 end as generation_minutes,
    case when consumption_kw is not null then 15 end as consumption_minutes,
    case when grid_import_kw is not null then 15 end as grid_import_minutes,
    case when grid_export_kw is not null then 15 end as grid_export_minutes,
    case when battery_charge_kw is not null then 15 end as battery_charge_minutes,
    case when battery_discharge_kw is not null then 15 end as battery_discharge_minutes
from stored.reading;

insert into core.day_energy
select
    system_id,
    day,
    sum(generation_kwh),
    sum(consumption_kwh),
    sum(grid_import_kwh),
    sum(grid_export_kwh),
    sum(battery_charge_kwh),
    sum(battery_discharge_kwh),
    sum(balance_sources_kwh),
    sum(balance_sinks_kwh),
    -- used_solar, used_battery, used_grid, used_total, solar_to_battery, solar_to_grid, grid_to_battery, battery_to_grid
    case when system_id = 'a' then 12 end,
    case when system_id = 'a' then 0 end,
    case when system_id = 'a' then 12 end,
    case when system_id = 'a' then 24 end,
    case when system_id = 'a' then 0 end,
    case when system_id = 'a' then 36 end,
    case when system_id = 'a' then 0 end,
    case when system_id = 'a' then 0 end,
    case when system_id = 'a' then 1440 end,
    -- pairs, peaks and when
    sum(generation_kwh),
    sum(consumption_kwh),
    sum(grid_import_kwh),
    sum(grid_export_kwh),
    sum(battery_charge_kwh),
    sum(battery_discharge_kwh),
    max(generation_kw),
    max(consumption_kw),
    max(grid_import_kw),
    max(grid_export_kw),
    max(battery_charge_kw),
    max(battery_discharge_kw),
    min(start_utc),
    min(start_local),
    case when system_id = 'a' then 80 end,
    case when system_id = 'a' then 80 end,
    case when system_id = 'a' then 80 end,
    case when system_id = 'a' then 80 end,
    0.25,
    -- highest bucket
    max(generation_kw),
    max(consumption_kw)
from core.interval_15min
group by system_id, day;

insert into core.series (
    system_id, day, metric, is_known, is_available, reason, absence, unit, sampling_mode, timezone, resolution_minutes,
    expected_buckets, sent_buckets, valid_buckets, null_buckets, missing_buckets, duplicate_buckets,
    outside_day_buckets, off_grid_buckets, offset_mismatch_buckets, negative_buckets, over_limit_buckets,
    unreadable_buckets, valid_minutes, edited_buckets
)
select
    load.system_id, load.day, known.metric, true, true, null, null, 'kW', 'bucketed', 'Asia/Kolkata', 15, 96, 96, 96,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1440, 0
from core.load as load
cross join unnest(
    ['generation', 'consumption', 'grid_import', 'grid_export', 'battery_charge', 'battery_discharge', 'soc']
) as known (metric)
where load.interval_kind = 'day' and (load.system_id = 'a' or known.metric not in ('battery_charge', 'battery_discharge', 'soc'))
union all
select
    load.system_id, load.day, known.metric, true, false, 'No data available', 'no_data', null, null, null, null, null,
    null, null, null, null, null, null, null, null, null, null, null, null, null
from core.load as load
cross join unnest(['battery_charge', 'battery_discharge', 'soc']) as known (metric)
where load.interval_kind = 'day' and load.system_id = 'b';

insert into core.reported_day
select
    system_id, day,
    sum(generation_kwh),
    sum(consumption_kwh),
    sum(grid_import_kwh),
    sum(grid_export_kwh),
    sum(battery_charge_kwh),
    sum(battery_discharge_kwh),
    '2026-03-11'
from core.interval_15min
group by system_id, day;

insert into core.day_version
select
    system_id, day, 1, 'sha', 'content', '2026-03-11', 'answer', true, false,
    sum(generation_kwh),
    sum(consumption_kwh),
    sum(grid_import_kwh),
    sum(grid_export_kwh),
    sum(battery_charge_kwh),
    sum(battery_discharge_kwh),
    case when count(generation_kwh) > 0 then 1 end,
    case when count(consumption_kwh) > 0 then 1 end,
    case when count(grid_import_kwh) > 0 then 1 end,
    case when count(grid_export_kwh) > 0 then 1 end,
    case when count(battery_charge_kwh) > 0 then 1 end,
    case when count(battery_discharge_kwh) > 0 then 1 end
from core.interval_15min
group by system_id, day;
