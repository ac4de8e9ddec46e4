-- name: macros.least_kwh
-- meaning: The energy below which no ratio is told: it would be noise.
-- null: never.
-- returns: double | kWh

0.05::double
