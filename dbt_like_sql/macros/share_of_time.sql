-- name: macros.share_of_time
-- meaning: The share of some hours that some minutes cover: coverage, where the minutes are those of valid buckets.
-- null: one of them is NULL.
-- parameters:
--   minutes | double | min | time that is covered
--   hours | double | h | time that ought to be
-- returns: double | 0–1

minutes / (60 * hours)
