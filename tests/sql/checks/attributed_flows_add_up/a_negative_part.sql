update core.day_energy set battery_to_grid_kwh = -0.1 where system_id = 'a' and day = '2026-03-02';
