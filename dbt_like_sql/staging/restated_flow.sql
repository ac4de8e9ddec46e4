-- name: staging.restated_flow
-- meaning: What later answers changed after a day was over, flow by flow; corrections by hand (core.override) left out.
-- grain: change in marts.restatement of a day that was read whole × flow whose energy or coverage it changed
-- key: system_id, day, version, flow
-- null: vendor: no list ever showed the system; after_hours: the zone is known nowhere.
-- materialized: table
-- rebuilt by: system_id, day
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   version | integer | - | the version that came
--   flow | varchar | - | one of the six flows
--   vendor | varchar | - | vendor as Enode spells it
--   after_hours | double | h | from the local end of the day until we saw the change

-- what grew while the day was running is no restatement
select
    restatement.system_id,
    restatement.day,
    restatement.version,
    unnest(string_split(restatement.changed_flows, ', ')) as flow,
    behaviour.vendor,
    restatement.hours_after_day_end as after_hours
from marts.restatement as restatement
inner join staging.day_behaviour as behaviour on behaviour.system_id = restatement.system_id and behaviour.day = restatement.day
inner join core.load as load
    on load.system_id = restatement.system_id and load.day = restatement.day and load.interval_kind = 'day'
where
    behaviour.is_read
    and restatement.previous_fetched_at_utc >= load.ends_at_utc
    and restatement.cause is distinct from 'override'
