-- name: core.interval_15min
-- meaning: The common grid: every metric on quarter hours of UTC, whatever the vendor's resolution. Made from the
--   valid native buckets (not null, finite, not over the limit), with corrections by hand (core.override) in their place.
-- grain: system × local day × quarter hour that overlaps at least one native reading
-- key: system_id, day, start_utc
-- key checked by: interval_15min_key
-- null: no valid native bucket in that quarter hour; <flow>_minutes: the metric was not available that day;
--   balance_*: no native bucket in which all six flows are valid, or the six do not share one resolution.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   start_utc | timestamp | UTC | start of the quarter hour
--   start_local | timestamp | local time | start of the quarter hour as wall-clock time
--   utc_offset_minutes | smallint | min | local time minus UTC at the start of the quarter hour
--   generation_kw | double | kW | duration-weighted mean power produced by the PV over the covered minutes
--   consumption_kw | double | kW | duration-weighted mean power used by the home over the covered minutes
--   grid_import_kw | double | kW | duration-weighted mean power drawn from the grid over the covered minutes
--   grid_export_kw | double | kW | duration-weighted mean power fed into the grid over the covered minutes
--   battery_charge_kw | double | kW | duration-weighted mean power put into the battery over the covered minutes
--   battery_discharge_kw | double | kW | duration-weighted mean power taken out of the battery over the covered minutes
--   generation_kwh | double | kWh | energy produced by the PV during the covered minutes
--   consumption_kwh | double | kWh | energy used by the home during the covered minutes
--   grid_import_kwh | double | kWh | energy drawn from the grid during the covered minutes
--   grid_export_kwh | double | kWh | energy fed into the grid during the covered minutes
--   battery_charge_kwh | double | kWh | energy put into the battery during the covered minutes
--   battery_discharge_kwh | double | kWh | energy taken out of the battery during the covered minutes
--   generation_minutes | double | min | minutes with valid buckets of generation, 0–15; 0: available, nothing valid
--   consumption_minutes | double | min | minutes with valid buckets of consumption, 0–15; 0: available, nothing valid
--   grid_import_minutes | double | min | minutes with valid buckets of grid_import, 0–15; 0: available, nothing valid
--   grid_export_minutes | double | min | minutes with valid buckets of grid_export, 0–15; 0: available, nothing valid
--   battery_charge_minutes | double | min | minutes with valid buckets of battery_charge, 0–15; 0: available, nothing valid
--   battery_discharge_minutes | double | min | minutes with valid buckets of battery_discharge, 0–15; 0: available, nothing valid
--   soc_pct | double | % | last valid state of charge of the battery in the quarter hour
--   balance_sources_kwh | double | kWh | generation + grid import + battery discharge over the native buckets in which all six flows are valid
--   balance_sinks_kwh | double | kWh | consumption + grid export + battery charge over the same buckets

create schema if not exists stored;

-- What follows from the rest is not kept: a quarter hour that a reading is as it stands (stored.reading.is_quarter_hour)
-- or three are together (stored.reading_5min), wall-clock time, mean power, and both sides of the balance where they are
-- the sums of the flows. Energy is kept in kW·min, which has few digits where kWh has many. What is left out is made here
-- by the very operations of the load, so that every number is the one that was loaded.
create table if not exists stored.interval_15min (
    system_id varchar not null,
    day date not null,
    start_utc timestamp not null,
    utc_offset_minutes smallint,
    generation_kwmin double,
    consumption_kwmin double,
    grid_import_kwmin double,
    grid_export_kwmin double,
    battery_charge_kwmin double,
    battery_discharge_kwmin double,
    generation_minutes double,
    consumption_minutes double,
    grid_import_minutes double,
    grid_export_minutes double,
    battery_charge_minutes double,
    battery_discharge_minutes double,
    soc_pct double,
    is_balanced boolean,
    balance_sources_kwmin double,
    balance_sinks_kwmin double
);

comment on table stored.interval_15min is 'What core.interval_15min is made from: ask that one, this may change.';

create or replace view core.interval_15min as
with
five_minutes as (
    select
        system_id,
        day,
        start_utc,
        utc_offset_minutes,
        generation_kw_0,
        generation_kw_5,
        generation_kw_10,
        consumption_kw_0,
        consumption_kw_5,
        consumption_kw_10,
        grid_import_kw_0,
        grid_import_kw_5,
        grid_import_kw_10,
        grid_export_kw_0,
        grid_export_kw_5,
        grid_export_kw_10,
        battery_charge_kw_0,
        battery_charge_kw_5,
        battery_charge_kw_10,
        battery_discharge_kw_0,
        battery_discharge_kw_5,
        battery_discharge_kw_10,
        coalesce(soc_pct_10, soc_pct_5, soc_pct_0) as soc_pct,
        -- each side of the balance in each of the three
        generation_kw_0 + (grid_import_kw_0 + battery_discharge_kw_0) as balance_sources_kw_0,
        generation_kw_5 + (grid_import_kw_5 + battery_discharge_kw_5) as balance_sources_kw_5,
        generation_kw_10 + (grid_import_kw_10 + battery_discharge_kw_10) as balance_sources_kw_10,
        consumption_kw_0 + (grid_export_kw_0 + battery_charge_kw_0) as balance_sinks_kw_0,
        consumption_kw_5 + (grid_export_kw_5 + battery_charge_kw_5) as balance_sinks_kw_5,
        consumption_kw_10 + (grid_export_kw_10 + battery_charge_kw_10) as balance_sinks_kw_10,
        -- the sum of the first two: what it lost of their last bits is given to the third below, as polars sums (Kahan)
        0 + generation_kw_0 + generation_kw_5 as generation_kw_two,
        0 + consumption_kw_0 + consumption_kw_5 as consumption_kw_two,
        0 + grid_import_kw_0 + grid_import_kw_5 as grid_import_kw_two,
        0 + grid_export_kw_0 + grid_export_kw_5 as grid_export_kw_two,
        0 + battery_charge_kw_0 + battery_charge_kw_5 as battery_charge_kw_two,
        0 + battery_discharge_kw_0 + battery_discharge_kw_5 as battery_discharge_kw_two,
        0 + balance_sources_kw_0 + balance_sources_kw_5 as balance_sources_kw_two,
        0 + balance_sinks_kw_0 + balance_sinks_kw_5 as balance_sinks_kw_two
    from stored.reading_5min
),

quarter_hour as (
    from stored.interval_15min
    union all by name
    select
        system_id,
        day,
        start_utc,
        utc_offset_minutes,
        generation_kw * 15 as generation_kwmin,
        consumption_kw * 15 as consumption_kwmin,
        grid_import_kw * 15 as grid_import_kwmin,
        grid_export_kw * 15 as grid_export_kwmin,
        battery_charge_kw * 15 as battery_charge_kwmin,
        battery_discharge_kw * 15 as battery_discharge_kwmin,
        case when generation_kw is not null then 15::double end as generation_minutes,
        case when consumption_kw is not null then 15::double end as consumption_minutes,
        case when grid_import_kw is not null then 15::double end as grid_import_minutes,
        case when grid_export_kw is not null then 15::double end as grid_export_minutes,
        case when battery_charge_kw is not null then 15::double end as battery_charge_minutes,
        case when battery_discharge_kw is not null then 15::double end as battery_discharge_minutes,
        soc_pct,
        generation_kw + consumption_kw + grid_import_kw + grid_export_kw + battery_charge_kw + battery_discharge_kw
        is not null as is_balanced,
        (generation_kw + (grid_import_kw + battery_discharge_kw)) * 15 as balance_sources_kwmin,
        (consumption_kw + (grid_export_kw + battery_charge_kw)) * 15 as balance_sinks_kwmin
    from stored.reading
    where is_quarter_hour
    union all by name
    select
        system_id,
        day,
        start_utc,
        utc_offset_minutes,
        (generation_kw_two + (generation_kw_10 - (generation_kw_two - generation_kw_0 - generation_kw_5))) * 5 as generation_kwmin,
        (consumption_kw_two + (consumption_kw_10 - (consumption_kw_two - consumption_kw_0 - consumption_kw_5))) * 5 as consumption_kwmin,
        (grid_import_kw_two + (grid_import_kw_10 - (grid_import_kw_two - grid_import_kw_0 - grid_import_kw_5))) * 5 as grid_import_kwmin,
        (grid_export_kw_two + (grid_export_kw_10 - (grid_export_kw_two - grid_export_kw_0 - grid_export_kw_5))) * 5 as grid_export_kwmin,
        (battery_charge_kw_two + (battery_charge_kw_10 - (battery_charge_kw_two - battery_charge_kw_0 - battery_charge_kw_5))) * 5 as battery_charge_kwmin,
        (battery_discharge_kw_two + (battery_discharge_kw_10 - (battery_discharge_kw_two - battery_discharge_kw_0 - battery_discharge_kw_5))) * 5 as battery_discharge_kwmin,
        case when generation_kw_two + generation_kw_10 is not null then 15::double end as generation_minutes,
        case when consumption_kw_two + consumption_kw_10 is not null then 15::double end as consumption_minutes,
        case when grid_import_kw_two + grid_import_kw_10 is not null then 15::double end as grid_import_minutes,
        case when grid_export_kw_two + grid_export_kw_10 is not null then 15::double end as grid_export_minutes,
        case when battery_charge_kw_two + battery_charge_kw_10 is not null then 15::double end as battery_charge_minutes,
        case when battery_discharge_kw_two + battery_discharge_kw_10 is not null then 15::double end as battery_discharge_minutes,
        soc_pct,
        balance_sources_kw_two + balance_sources_kw_10 + balance_sinks_kw_two + balance_sinks_kw_10 is not null as is_balanced,
        (balance_sources_kw_two + (balance_sources_kw_10 - (balance_sources_kw_two - balance_sources_kw_0 - balance_sources_kw_5))) * 5 as balance_sources_kwmin,
        (balance_sinks_kw_two + (balance_sinks_kw_10 - (balance_sinks_kw_two - balance_sinks_kw_0 - balance_sinks_kw_5))) * 5 as balance_sinks_kwmin
    from five_minutes
)

select
    system_id,
    day,
    start_utc,
    make_timestamp(epoch_us(start_utc) + utc_offset_minutes::bigint * 60_000_000) as start_local,
    utc_offset_minutes,
    generation_kwmin * (1::double / 60) / (generation_minutes * (1::double / 60)) as generation_kw,
    consumption_kwmin * (1::double / 60) / (consumption_minutes * (1::double / 60)) as consumption_kw,
    grid_import_kwmin * (1::double / 60) / (grid_import_minutes * (1::double / 60)) as grid_import_kw,
    grid_export_kwmin * (1::double / 60) / (grid_export_minutes * (1::double / 60)) as grid_export_kw,
    battery_charge_kwmin * (1::double / 60) / (battery_charge_minutes * (1::double / 60)) as battery_charge_kw,
    battery_discharge_kwmin * (1::double / 60) / (battery_discharge_minutes * (1::double / 60)) as battery_discharge_kw,
    generation_kwmin * (1::double / 60) as generation_kwh,
    consumption_kwmin * (1::double / 60) as consumption_kwh,
    grid_import_kwmin * (1::double / 60) as grid_import_kwh,
    grid_export_kwmin * (1::double / 60) as grid_export_kwh,
    battery_charge_kwmin * (1::double / 60) as battery_charge_kwh,
    battery_discharge_kwmin * (1::double / 60) as battery_discharge_kwh,
    generation_minutes,
    consumption_minutes,
    grid_import_minutes,
    grid_export_minutes,
    battery_charge_minutes,
    battery_discharge_minutes,
    soc_pct,
    case
        when is_balanced then coalesce(balance_sources_kwmin, generation_kwmin + grid_import_kwmin + battery_discharge_kwmin)
    end * (1::double / 60) as balance_sources_kwh,
    case
        when is_balanced then coalesce(balance_sinks_kwmin, consumption_kwmin + grid_export_kwmin + battery_charge_kwmin)
    end * (1::double / 60) as balance_sinks_kwh
from quarter_hour;
