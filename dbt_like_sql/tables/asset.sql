-- name: core.asset
-- meaning: The inverters, batteries and meters that belong to a system.
-- grain: one row per asset
-- key: asset_id
-- null: Enode did not send the field; gone_at_utc: its system is there. Without access to the asset lists the table is empty.
-- columns:
--   asset_id | varchar | - | Enode's id of the asset
--   kind | varchar | - | inverter, battery or meter
--   system_id | varchar | - | the system the asset belongs to
--   vendor | varchar | - | vendor as Enode spells it
--   brand | varchar | - | brand of the device
--   model | varchar | - | model of the device
--   capacity_kwh | double | kWh | usable capacity of a battery
--   is_reachable | boolean | - | whether Enode could reach the device when it was last listed
--   last_seen_utc | timestamp | UTC | the vendor's last contact with the device
--   gone_at_utc | timestamp | UTC | when its system was found gone
--   raw | json | - | the object exactly as Enode sent it

create table if not exists core.asset (
    asset_id varchar not null,
    kind varchar,
    system_id varchar,
    vendor varchar,
    brand varchar,
    model varchar,
    capacity_kwh double,
    is_reachable boolean,
    last_seen_utc timestamp,
    gone_at_utc timestamp,
    raw json
);
