-- name: core.location
-- meaning: The places that the list of locations holds: where a system is whose own object does not say so.
-- grain: one row per location
-- key: location_id
-- null: Enode did not send the field. Without access to the list the table is empty.
-- columns:
--   location_id | varchar | - | Enode's id of the place
--   latitude | double | ° | latitude, north positive
--   longitude | double | ° | longitude, east positive
--   listed_at_utc | timestamp | UTC | newest list that showed the place
--   raw | json | - | the object exactly as Enode sent it; its zone (UTC where nobody set one) cuts no day

create table if not exists core.location (
    location_id varchar not null,
    latitude double,
    longitude double,
    listed_at_utc timestamp,
    raw json
);
