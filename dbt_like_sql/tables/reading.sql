-- name: core.reading
-- meaning: Native readings: one row for every bucket start that any metric sent inside the local day, wide, as the
--   vendor sent them.
-- grain: system × local day × bucket start; sorted by day, system, start
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

-- What follows from the rest is not kept: wall-clock time, and the quarter hour where it is the reading as it stands.
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

create or replace view core.reading as
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
from stored.reading;
