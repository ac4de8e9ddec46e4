-- name: macros.balance_fails_above
-- meaning: The share of the larger side above which the two sides of a day's balance do not agree.
-- null: never.
-- returns: double | 0–1

0.10::double
