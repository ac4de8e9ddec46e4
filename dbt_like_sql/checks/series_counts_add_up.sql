-- name: checks.series_counts_add_up
-- meaning: expected = valid + over_limit + null + unreadable + missing, negative is a part of valid, no count is
--   negative; counts are there exactly where the series is available. Of corrections by hand there are at most as many as
--   there are expected buckets.
-- severity: structural
-- local to: system_id, day
-- failing row: a series for which it is not so

select
    system_id,
    day,
    metric,
    is_available,
    expected_buckets,
    valid_buckets,
    over_limit_buckets,
    null_buckets,
    unreadable_buckets,
    missing_buckets,
    negative_buckets,
    edited_buckets
from core.series
where
    is_known
    and (
        is_available is null
        or is_available <> (expected_buckets is not null)
        or is_available <> (edited_buckets is not null)
        or (
            is_available
            and coalesce(
                expected_buckets <> valid_buckets + over_limit_buckets + null_buckets + unreadable_buckets + missing_buckets
                or negative_buckets > valid_buckets
                or least(valid_buckets, over_limit_buckets, null_buckets, unreadable_buckets, missing_buckets, negative_buckets) < 0
                or valid_minutes < 0
                or edited_buckets not between 0 and expected_buckets,
                true
            )
        )
    )
