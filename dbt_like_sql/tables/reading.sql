-- name: core.reading
-- meaning: Native readings: one row for every bucket start that any metric sent inside the local day, wide, as the
--   vendor sent them.
-- grain: system × local day × bucket start
-- key: system_id, day, start_utc
-- key checked by: reading_key
-- null: the vendor sent null, or text that is no number, or the instant belongs to another metric's finer grid.
--   Values that are negative or over the plausibility limit stay as they are.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day that was asked for
--   start_utc | timestamp | UTC | start of the bucket
--   start_local | timestamp | local time | start of the bucket as wall-clock time; ambiguous in the hour a clock repeats
--   utc_offset_minutes | smallint | min | local time minus UTC at the start of the bucket
--   generation_kw | double | kW | mean power produced by the PV during the bucket
--   consumption_kw | double | kW | mean power used by the home during the bucket
--   grid_import_kw | double | kW | mean power drawn from the grid during the bucket
--   grid_export_kw | double | kW | mean power fed into the grid during the bucket
--   battery_charge_kw | double | kW | mean power put into the battery during the bucket
--   battery_discharge_kw | double | kW | mean power taken out of the battery during the bucket
--   soc_pct | double | % | state of charge of the battery, 0–100

create schema if not exists stored;

-- What follows from the rest is not kept: wall-clock time, and the quarter hour where it is the reading as it stands, or
-- the sum of three as they stand. Those three share a row, by the minute of the quarter hour at which each begins: instant,
-- offset and system are kept once for them.
create table if not exists stored.reading (
    system_id varchar not null,
    day date not null,
    start_utc timestamp not null,
    utc_offset_minutes smallint,
    generation_kw double,
    consumption_kw double,
    grid_import_kw double,
    grid_export_kw double,
    battery_charge_kw double,
    battery_discharge_kw double,
    soc_pct double,
    is_quarter_hour boolean
);

comment on table stored.reading is 'What core.reading is made from: ask that one, this may change.';

create table if not exists stored.reading_5min (
    system_id varchar not null,
    day date not null,
    start_utc timestamp not null,
    utc_offset_minutes smallint,
    generation_kw_0 double,
    generation_kw_5 double,
    generation_kw_10 double,
    consumption_kw_0 double,
    consumption_kw_5 double,
    consumption_kw_10 double,
    grid_import_kw_0 double,
    grid_import_kw_5 double,
    grid_import_kw_10 double,
    grid_export_kw_0 double,
    grid_export_kw_5 double,
    grid_export_kw_10 double,
    battery_charge_kw_0 double,
    battery_charge_kw_5 double,
    battery_charge_kw_10 double,
    battery_discharge_kw_0 double,
    battery_discharge_kw_5 double,
    battery_discharge_kw_10 double,
    soc_pct_0 double,
    soc_pct_5 double,
    soc_pct_10 double
);

comment on table stored.reading_5min is 'What core.reading is made from: ask that one, this may change.';

create or replace view core.reading as
with bucket as (
    select
        system_id,
        day,
        start_utc,
        utc_offset_minutes,
        generation_kw,
        consumption_kw,
        grid_import_kw,
        grid_export_kw,
        battery_charge_kw,
        battery_discharge_kw,
        soc_pct
    from stored.reading
    union all
    select
        system_id,
        day,
        start_utc,
        utc_offset_minutes,
        generation_kw_0 as generation_kw,
        consumption_kw_0 as consumption_kw,
        grid_import_kw_0 as grid_import_kw,
        grid_export_kw_0 as grid_export_kw,
        battery_charge_kw_0 as battery_charge_kw,
        battery_discharge_kw_0 as battery_discharge_kw,
        soc_pct_0 as soc_pct
    from stored.reading_5min
    union all
    select
        system_id,
        day,
        make_timestamp(epoch_us(start_utc) + 300_000_000) as start_utc,
        utc_offset_minutes,
        generation_kw_5 as generation_kw,
        consumption_kw_5 as consumption_kw,
        grid_import_kw_5 as grid_import_kw,
        grid_export_kw_5 as grid_export_kw,
        battery_charge_kw_5 as battery_charge_kw,
        battery_discharge_kw_5 as battery_discharge_kw,
        soc_pct_5 as soc_pct
    from stored.reading_5min
    union all
    select
        system_id,
        day,
        make_timestamp(epoch_us(start_utc) + 600_000_000) as start_utc,
        utc_offset_minutes,
        generation_kw_10 as generation_kw,
        consumption_kw_10 as consumption_kw,
        grid_import_kw_10 as grid_import_kw,
        grid_export_kw_10 as grid_export_kw,
        battery_charge_kw_10 as battery_charge_kw,
        battery_discharge_kw_10 as battery_discharge_kw,
        soc_pct_10 as soc_pct
    from stored.reading_5min
)

select
    system_id,
    day,
    start_utc,
    make_timestamp(epoch_us(start_utc) + utc_offset_minutes::bigint * 60_000_000) as start_local,
    utc_offset_minutes,
    generation_kw,
    consumption_kw,
    grid_import_kw,
    grid_export_kw,
    battery_charge_kw,
    battery_discharge_kw,
    soc_pct
from bucket;
