-- name: marts.today
-- meaning: The running day of each system, as its newest look found it: energy so far, how much of the time that is over is
--   known, the last bucket, its age. Coverage here is of the time that is over, in marts.daily_energy of the whole day.
-- grain: one row per system that is there and whose newest day asked for was not over at the newest run
-- key: system_id
-- null: an energy or coverage: nothing of that flow is valid, or it is not available; last_*, soc_pct: no bucket has
--   ended yet, or none was sent; outcome of a failed look: what an earlier look brought stays.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   vendor | varchar | - | vendor as Enode spells it
--   day | date | local date | the running day
--   outcome | varchar | - | what the newest look at it brought
--   state | varchar | - | open: the day was not over
--   looked_at_utc | timestamp | UTC | the newest look
--   generation_kwh | double | kWh | so far, from valid buckets
--   consumption_kwh | double | kWh | so far, from valid buckets
--   grid_import_kwh | double | kWh | so far, from valid buckets
--   grid_export_kwh | double | kWh | so far, from valid buckets
--   battery_charge_kwh | double | kWh | so far, from valid buckets
--   battery_discharge_kwh | double | kWh | so far, from valid buckets
--   generation_coverage | double | 0–1 | share of the time of the buckets that had ended at its last answer that is valid
--   consumption_coverage | double | 0–1 | share of the time of the buckets that had ended at its last answer that is valid
--   grid_import_coverage | double | 0–1 | share of the time of the buckets that had ended at its last answer that is valid
--   grid_export_coverage | double | 0–1 | share of the time of the buckets that had ended at its last answer that is valid
--   battery_charge_coverage | double | 0–1 | share of the time of the buckets that had ended at its last answer that is valid
--   battery_discharge_coverage | double | 0–1 | share of the time of the buckets that had ended at its last answer that is valid
--   last_quarter_utc | timestamp | UTC | start of the last quarter hour in which anything is known
--   last_quarter_local | timestamp | local time | the same
--   age_minutes | double | min | from the end of that quarter hour to the newest look at any system (no clock is asked); 0 where that came before its end
--   soc_pct | double | % | last known state of charge

with
newest_look as (
    select max(fetched_at_utc) as at_utc
    from core.load
),

newest_day as (
    select system_id, max(day) as day
    from core.load
    where interval_kind = 'day' and fetched_at_utc is not null
    group by system_id
),

running as (
    select load.system_id, load.day, load.outcome, load.state, load.fetched_at_utc
    from core.load as load
    inner join newest_day on newest_day.system_id = load.system_id and newest_day.day = load.day
    where load.interval_kind = 'day' and load.state = 'open'
),

covered as (
    select
        series.system_id,
        series.metric,
        share_of_time(series.valid_minutes, series.expected_buckets * series.resolution_minutes / 60) as share
    from core.series as series
    inner join running on running.system_id = series.system_id and running.day = series.day
    where series.expected_buckets > 0
),

so_far as (
    select
        system_id,
        any_value(share) filter (where metric = 'generation') as generation,
        any_value(share) filter (where metric = 'consumption') as consumption,
        any_value(share) filter (where metric = 'grid_import') as grid_import,
        any_value(share) filter (where metric = 'grid_export') as grid_export,
        any_value(share) filter (where metric = 'battery_charge') as battery_charge,
        any_value(share) filter (where metric = 'battery_discharge') as battery_discharge
    from covered
    group by system_id
),

newest as (
    select
        quarter.system_id,
        max(quarter.start_utc) as start_utc,
        max_by(quarter.start_local, quarter.start_utc) as start_local,
        max_by(quarter.soc_pct, quarter.start_utc) filter (where quarter.soc_pct is not null) as soc_pct
    from core.interval_15min as quarter
    inner join running on running.system_id = quarter.system_id and running.day = quarter.day
    group by quarter.system_id
)

select
    running.system_id,
    system.vendor,
    running.day,
    running.outcome,
    running.state,
    running.fetched_at_utc as looked_at_utc,
    energy.generation_kwh, energy.consumption_kwh, energy.grid_import_kwh,
    energy.grid_export_kwh, energy.battery_charge_kwh, energy.battery_discharge_kwh,
    so_far.generation as generation_coverage, so_far.consumption as consumption_coverage,
    so_far.grid_import as grid_import_coverage, so_far.grid_export as grid_export_coverage,
    so_far.battery_charge as battery_charge_coverage, so_far.battery_discharge as battery_discharge_coverage,
    newest.start_utc as last_quarter_utc,
    newest.start_local as last_quarter_local,
    -- greatest() alone would turn what is not known into 0
    case
        when newest.start_utc is not null
            then greatest(date_diff('second', newest.start_utc + interval 15 minute, newest_look.at_utc), 0) / 60
    end as age_minutes,
    newest.soc_pct
from running
cross join newest_look
inner join core.system as system on system.system_id = running.system_id
left join core.day_energy as energy on energy.system_id = running.system_id and energy.day = running.day
left join so_far on so_far.system_id = running.system_id
left join newest on newest.system_id = running.system_id
where system.gone_at_utc is null
