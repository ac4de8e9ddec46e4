-- name: core.system_history
-- meaning: What was known about a system, and from when to when: one row per change.
-- grain: system × change
-- key: system_id, valid_from_utc
-- null: nobody states it; valid_to_utc: this is what is known now. What another process saw earlier and landed later
--   counts from the beginning of the row that is open; `hem-etl rebuild` puts it at its own time.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   user_id | varchar | - | your own id of the user who linked the account
--   vendor | varchar | - | vendor as Enode spells it (ENPHASE, TESLA, …); an open list
--   timezone | varchar | - | IANA zone of the site; NULL where neither the system's object nor a series states one
--   latitude | double | ° | latitude of the site, north positive
--   longitude | double | ° | longitude of the site, east positive
--   vendor_source | varchar | - | who told the vendor: list (the system's own object) or assets (the vendor that most of its devices name)
--   timezone_source | varchar | - | who told the zone: list, or series (the newest look at a series)
--   place_source | varchar | - | who told latitude and longitude: list or locations
--   location_id | varchar | - | Enode's id of the place
--   is_reachable | boolean | - | whether Enode could reach the system at its last contact
--   has_invalid_credentials | boolean | - | whether the newest look that told said that the user must link again; false before any did
--   first_seen_utc | timestamp | UTC | when a list first showed the system
--   listed_at_utc | timestamp | UTC | newest list that showed the system
--   last_seen_utc | timestamp | UTC | the vendor's last contact as Enode states it, else the newest list that showed the system
--   gone_at_utc | timestamp | UTC | when the system was found gone; NULL while it is listed
--   raw | json | - | the object exactly as Enode sent it
--   valid_from_utc | timestamp | UTC | when this state of the system was first seen
--   valid_to_utc | timestamp | UTC | when the next state was first seen; NULL for the current one

create table if not exists core.system_history (
    system_id varchar not null,
    user_id varchar,
    vendor varchar,
    timezone varchar,
    latitude double,
    longitude double,
    vendor_source varchar,
    timezone_source varchar,
    place_source varchar,
    location_id varchar,
    is_reachable boolean,
    has_invalid_credentials boolean,
    first_seen_utc timestamp,
    listed_at_utc timestamp,
    last_seen_utc timestamp,
    gone_at_utc timestamp,
    raw json,
    valid_from_utc timestamp not null,
    valid_to_utc timestamp
);
