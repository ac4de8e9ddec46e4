-- name: core.series
-- meaning: What became of each time series of a loaded day: availability, reason and how many buckets were expected,
--   sent and valid. expected = valid + over_limit + null + unreadable + missing. The counts are of what was sent.
-- grain: system × local day × metric: always the seven known metrics, and unknown names as they were sent
-- key: system_id, day, metric
-- null: the counts: the series is not available; the texts: not stated.
-- columns:
--   system_id | varchar | - | Enode's id of the system
--   day | date | local date | the system's local day
--   metric | varchar | - | one of the six flows or soc; a name we do not know is kept as it was sent
--   is_known | boolean | - | false for a name that is none of the seven metrics
--   is_available | boolean | - | whether the answer holds the series
--   reason | varchar | - | why it is not available, in Enode's words
--   absence | varchar | - | the reason's drawer: no_data, missing_scope, unsupported, before_installation, not_sent, other
--   missing_scope | varchar | - | the scope that the user must grant by linking again
--   unit | varchar | - | unit as sent, before conversion to kW or %
--   sampling_mode | varchar | - | sampling mode as sent
--   timezone | varchar | - | IANA zone that the series states
--   resolution_minutes | integer | min | length of a native bucket
--   expected_buckets | integer | buckets | buckets of the local day that had ended when the day was fetched
--   sent_buckets | integer | buckets | different expected instants that were sent, null or not
--   valid_buckets | integer | buckets | not null, finite, readable and not over the limit
--   null_buckets | integer | buckets | sent without a value
--   missing_buckets | integer | buckets | expected and not sent
--   duplicate_buckets | integer | buckets | points beyond the first of the same instant; the last one wins
--   outside_day_buckets | integer | buckets | points outside the local day: left out
--   off_grid_buckets | integer | buckets | points off the series' grid: left out
--   offset_mismatch_buckets | integer | buckets | points whose offset is not the zone's offset at that instant
--   negative_buckets | integer | buckets | valid buckets below -0.001 kW: flagged, kept in the sums
--   over_limit_buckets | integer | buckets | above the plausibility limit by absolute value: kept in core.reading, out of energy and coverage
--   unreadable_buckets | integer | buckets | points whose time or value cannot be read
--   valid_minutes | integer | min | minutes covered by the buckets that count: valid ones, with corrections by hand in their place
--   edited_buckets | integer | buckets | buckets whose value is a correction by hand (core.override) and not what was sent

create table if not exists core.series (
    system_id varchar not null,
    day date not null,
    metric varchar not null,
    is_known boolean,
    is_available boolean,
    reason varchar,
    absence varchar,
    missing_scope varchar,
    unit varchar,
    sampling_mode varchar,
    timezone varchar,
    resolution_minutes integer,
    expected_buckets integer,
    sent_buckets integer,
    valid_buckets integer,
    null_buckets integer,
    missing_buckets integer,
    duplicate_buckets integer,
    outside_day_buckets integer,
    off_grid_buckets integer,
    offset_mismatch_buckets integer,
    negative_buckets integer,
    over_limit_buckets integer,
    unreadable_buckets integer,
    valid_minutes integer,
    edited_buckets integer
);
