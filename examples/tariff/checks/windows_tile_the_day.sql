-- name: checks.windows_tile_the_day
-- meaning: The windows of a tariff cover each minute of a day once, and its periods of validity do not overlap.
-- severity: structural
-- failing row: a tariff and period whose windows overlap, leave a hole, or last past another period's beginning

with
tiled as (
    select
        tariff,
        valid_from,
        valid_to,
        sum(last_minute - first_minute) as minutes,
        min(first_minute) as first_minute,
        max(last_minute) as last_minute
    from own.price_window
    group by tariff, valid_from, valid_to
),

overlapping as (
    select one.tariff, one.valid_from, one.valid_to
    from own.price_window as one
    inner join own.price_window as other
        on
            other.tariff = one.tariff
            and (other.valid_from, other.first_minute) <> (one.valid_from, one.first_minute)
            and other.valid_from <= one.valid_to
            and one.valid_from <= other.valid_to
            and (other.valid_from <> one.valid_from or (other.first_minute < one.last_minute and one.first_minute < other.last_minute))
)

select tariff, valid_from, valid_to
from tiled
where minutes <> 1440 or first_minute <> 0 or last_minute <> 1440
union
select tariff, valid_from, valid_to
from overlapping
