-- name: macros.complete_month_ratio
-- meaning: The share of complete days from which on a month is complete.
-- null: never.
-- returns: double | 0–1

0.9::double
