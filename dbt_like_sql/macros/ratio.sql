-- name: macros.ratio
-- meaning: Part ÷ whole.
-- null: one of them is NULL, or the whole is at most least_kwh().
-- parameters:
--   part | double | kWh | what is divided
--   whole | double | kWh | what it is divided by
-- returns: double | ratio

case when whole > least_kwh() then part / whole end
