insert into core.asset (asset_id, kind, system_id, vendor)
values ('i1', 'inverter', 'a', 'SMA'), ('b1', 'battery', 'a', 'TESLA');
