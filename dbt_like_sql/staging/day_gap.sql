-- name: staging.day_gap
-- meaning: What the attributed flows of each day leave out: for how long, and how much generation and load that time could have held.
-- grain: system × local day of staging.day
-- key: system_id, day
-- null: the day has not and ought not to have all five flows (generation, both grid and both battery flows), or its length
--   is unknown.
-- materialized: table
-- rebuilt by: system_id, day
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   due_hours | double | h | hours of the day that are over, where it has or ought to have all five flows
--   gap_hours | double | h | of these, hours in which not all five are valid
--   generation_gap_kwh | double | kWh | the most that the PV could have produced in these hours: gap_generation_kw, or the highest power of a bucket of the day if higher
--   consumption_gap_kwh | double | kWh | the most that the home could have used in these hours: gap_consumption_kw, or the highest power of a bucket of the day if higher

-- formulas: bounds
with
setting as (
    select
        max(value) filter (where name = 'gap_generation_kw') as generation_kw,
        max(value) filter (where name = 'gap_consumption_kw') as consumption_kw
    from core.setting
),

gap as (
    select
        flow.system_id,
        flow.day,
        -- the five are due alike: each is as long as the day. What is still to come is not missing
        case
            when
                flow.generation_due_hours
                + flow.grid_import_due_hours
                + flow.grid_export_due_hours
                + flow.battery_charge_due_hours
                + flow.battery_discharge_due_hours is not null
                then spine.elapsed_hours
        end as due_hours,
        -- nothing attributed: the whole day is missing, here 0 is meant
        coalesce(energy.attributed_minutes, 0) / 60 as attributed_hours,
        -- not of a quarter hour: a gap may be one bucket long, and its load in that bucket known
        energy.generation_bucket_peak_kw,
        energy.consumption_bucket_peak_kw
    from staging.day_flow as flow
    inner join staging.day as spine on spine.system_id = flow.system_id and spine.day = flow.day
    left join core.day_energy as energy on energy.system_id = flow.system_id and energy.day = flow.day
)

-- greatest() leaves out NULLs: a day without a highest power of its own
select
    gap.system_id,
    gap.day,
    gap.due_hours,
    gap.due_hours - gap.attributed_hours as gap_hours,
    (gap.due_hours - gap.attributed_hours) * greatest(setting.generation_kw, gap.generation_bucket_peak_kw) as generation_gap_kwh,
    (gap.due_hours - gap.attributed_hours) * greatest(setting.consumption_kw, gap.consumption_bucket_peak_kw) as consumption_gap_kwh
from gap
cross join setting
