-- name: macros.ratio_low
-- meaning: The least that part ÷ whole can be, whatever the missing time held: all of it is whole, nothing of it part.
-- null: one of them is NULL, or the whole is at most least_kwh().
-- parameters:
--   part | double | kWh | what is divided
--   whole | double | kWh | what it is divided by
--   gap | double | kWh | the most that the missing time could have added to the whole
-- returns: double | ratio

case when whole > least_kwh() then part / (whole + gap) end
