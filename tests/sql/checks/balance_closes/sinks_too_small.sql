update core.day_energy set balance_sinks_kwh = balance_sinks_kwh * 0.8 where system_id = 'a' and day = '2026-03-02';
