-- name: macros.load_factor
-- meaning: Mean power over the valid time ÷ peak power.
-- null: one of them is NULL, or the energy is at most least_kwh().
-- parameters:
--   kwh | double | kWh | energy over the valid time
--   minutes | double | min | the valid time
--   peak_kw | double | kW | highest 15-minute mean
-- returns: double | 0–1

case when kwh > least_kwh() then kwh / (minutes / 60) / peak_kw end
