-- name: macros.ratio_high
-- meaning: The most that part ÷ whole can be, whatever the missing time held: all of it is whole and part.
-- null: one of them is NULL, or the whole is at most least_kwh().
-- parameters:
--   part | double | kWh | what is divided
--   whole | double | kWh | what it is divided by
--   gap | double | kWh | the most that the missing time could have added to both
-- returns: double | ratio

case when whole > least_kwh() then (part + gap) / (whole + gap) end
