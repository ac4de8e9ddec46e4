-- Tables as a year of a fleet leaves them: quarter-hour homes with all flows. Its size is bound by name.
insert into core.system (system_id, user_id, vendor, timezone, first_seen_utc, last_seen_utc)
select
    'system-' || lpad(number::varchar, 6, '0'), 'user-' || number,
    ['TESLA', 'SMA', 'ENPHASE', 'SOLAX', 'HUAWEI'][number % 5 + 1], 'Asia/Kolkata', '2025-01-01', '2026-01-01'
from range($systems) as fleet (number);

insert into core.system_history by name
select system_id, user_id, vendor, timezone, first_seen_utc, last_seen_utc, first_seen_utc as valid_from_utc
from core.system;

insert into core.local_day
select 'Asia/Kolkata', day, day - interval 330 minute, day + interval 1110 minute, 24
from (select date '2025-01-01' + number::integer as day from range($days::integer + 35) as days (number));

insert into core.load (
    system_id, interval, interval_kind, day, outcome, http_status, fetched_at_utc, attempts, loaded_at_utc,
    payload_sha256, version, state, answered_at_utc, ends_at_utc, timezone, loaded_outcome, content_sha256
)
select
    system_id, strftime(day, '%Y-%m-%d'), 'day', day, 'loaded', 200, end_utc + interval 8 day, 1,
    end_utc + interval 8 day, sha256(system_id || day), 1, 'settled', end_utc + interval 8 day, end_utc, timezone,
    'loaded', sha256(day || system_id)
from core.local_day cross join (select system_id from core.system)
where day < date '2025-01-01' + $days::integer
order by day, system_id;

insert into stored.reading by name
select
    load.system_id, load.day, ends_at_utc - interval 1 day + quarter * interval 15 minute as start_utc,
    330::smallint as utc_offset_minutes, values.* exclude (quarter), (quarter % 100)::double as soc_pct,
    true as is_quarter_hour
from core.load as load
cross join (
    -- whole multiples of 1/256 kW: sums are exact whatever their order
    select
        (quarter % 37) / 64 as generation_kw, (quarter % 41) / 128 as consumption_kw,
        (quarter % 43) / 256 as grid_import_kw, (quarter % 31) / 256 as grid_export_kw,
        (quarter % 29) / 256 as battery_charge_kw, (quarter % 23) / 256 as battery_discharge_kw, quarter
    from range(96) as day_quarters (quarter)
) as values
order by load.day, load.system_id, start_utc;

insert into core.day_energy by name
select
    system_id, day, sum(generation_kwh) as generation_kwh, sum(consumption_kwh) as consumption_kwh,
    sum(grid_import_kwh) as grid_import_kwh, sum(grid_export_kwh) as grid_export_kwh,
    sum(battery_charge_kwh) as battery_charge_kwh, sum(battery_discharge_kwh) as battery_discharge_kwh,
    sum(balance_sources_kwh) as balance_sources_kwh, sum(balance_sinks_kwh) as balance_sinks_kwh,
    1.0 as used_solar_kwh, 2.0 as used_battery_kwh, 3.0 as used_grid_kwh, 6.0 as used_total_kwh,
    1.0 as solar_to_battery_kwh, 2.0 as solar_to_grid_kwh, 0.0 as grid_to_battery_kwh, 0.0 as battery_to_grid_kwh,
    1440.0 as attributed_minutes, sum(generation_kwh) as paired_generation_kwh,
    sum(consumption_kwh) as paired_consumption_kwh, sum(grid_import_kwh) as paired_grid_import_kwh,
    sum(grid_export_kwh) as paired_grid_export_kwh, sum(battery_charge_kwh) as paired_battery_charge_kwh,
    sum(battery_discharge_kwh) as paired_battery_discharge_kwh, max(generation_kw) as generation_peak_kw,
    max(consumption_kw) as consumption_peak_kw, max(grid_import_kw) as grid_import_peak_kw,
    min(start_utc) as grid_import_peak_at_utc, 0.0 as soc_first_pct, 95.0 as soc_last_pct, 0.0 as soc_min_pct,
    95.0 as soc_max_pct
from core.interval_15min
group by system_id, day
order by day, system_id;

insert into core.series by name
select
    system_id, day, metric, true as is_known, true as is_available, 'kW' as unit, 'bucketed' as sampling_mode,
    timezone, 15 as resolution_minutes, 96 as expected_buckets, 96 as sent_buckets, 96 as valid_buckets,
    0 as null_buckets, 0 as missing_buckets, 0 as duplicate_buckets, 0 as outside_day_buckets, 0 as off_grid_buckets,
    0 as offset_mismatch_buckets, 0 as negative_buckets, 0 as over_limit_buckets, 0 as unreadable_buckets,
    0 as edited_buckets, 1440 as valid_minutes
from core.load
cross join unnest(
    ['generation', 'consumption', 'grid_import', 'grid_export', 'battery_charge', 'battery_discharge', 'soc']
) as known (metric);

insert into core.day_version by name
select
    load.system_id, load.day, 1 as version, load.payload_sha256, load.content_sha256, load.fetched_at_utc,
    true as applied, false as was_settled, energy.generation_kwh, energy.consumption_kwh, energy.grid_import_kwh,
    energy.grid_export_kwh, energy.battery_charge_kwh, energy.battery_discharge_kwh, 1.0 as generation_coverage,
    1.0 as consumption_coverage, 1.0 as grid_import_coverage, 1.0 as grid_export_coverage,
    1.0 as battery_charge_coverage, 1.0 as battery_discharge_coverage
from core.load as load
inner join core.day_energy as energy using (system_id, day);

insert into core.reported_day by name
select
    system_id, day, generation_kwh, consumption_kwh, grid_import_kwh, grid_export_kwh, battery_charge_kwh,
    battery_discharge_kwh, timestamp '2026-02-01' as fetched_at_utc
from core.day_energy
