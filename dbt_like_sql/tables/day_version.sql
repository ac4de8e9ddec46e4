-- name: core.day_version
-- meaning: What was known about a day, and when: one row per change of its normalised content (A → B → A are versions
--   1, 2, 3), and one per change of what was corrected by hand.
-- grain: system × local day × version
-- key: system_id, day, version
-- null: <flow>_kwh: nothing valid; <flow>_coverage: the flow was not available.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   version | integer | - | 1, 2, 3, … without gaps
--   payload_sha256 | varchar | - | hash of the body
--   content_sha256 | varchar | - | hash of the normalised content; fields that change with every answer do not count
--   fetched_at_utc | timestamp | UTC | when the body was fetched, or the correction applied
--   cause | varchar | - | answer: the vendor sent other content; override: the operator's corrections changed
--   applied | boolean | - | false: at least one series had vanished from this body and kept its last good values
--   was_settled | boolean | - | true: the day counted as settled before this version came
--   generation_kwh | double | kWh | energy produced by the PV, as the tables held it after this version
--   consumption_kwh | double | kWh | energy used by the home, as the tables held it after this version
--   grid_import_kwh | double | kWh | energy drawn from the grid, as the tables held it after this version
--   grid_export_kwh | double | kWh | energy fed into the grid, as the tables held it after this version
--   battery_charge_kwh | double | kWh | energy put into the battery, as the tables held it after this version
--   battery_discharge_kwh | double | kWh | energy taken out of the battery, as the tables held it after this version
--   generation_coverage | double | 0–1 | share of the day that generation covered, as the tables held it after this version
--   consumption_coverage | double | 0–1 | share of the day that consumption covered, as the tables held it after this version
--   grid_import_coverage | double | 0–1 | share of the day that grid_import covered, as the tables held it after this version
--   grid_export_coverage | double | 0–1 | share of the day that grid_export covered, as the tables held it after this version
--   battery_charge_coverage | double | 0–1 | share of the day that battery_charge covered, as the tables held it after this version
--   battery_discharge_coverage | double | 0–1 | share of the day that battery_discharge covered, as the tables held it after this version

create table if not exists core.day_version (
    system_id varchar not null,
    day date not null,
    version integer not null,
    payload_sha256 varchar,
    content_sha256 varchar,
    fetched_at_utc timestamp,
    cause varchar,
    applied boolean,
    was_settled boolean,
    generation_kwh double,
    consumption_kwh double,
    grid_import_kwh double,
    grid_export_kwh double,
    battery_charge_kwh double,
    battery_discharge_kwh double,
    generation_coverage double,
    consumption_coverage double,
    grid_import_coverage double,
    grid_export_coverage double,
    battery_charge_coverage double,
    battery_discharge_coverage double
);
