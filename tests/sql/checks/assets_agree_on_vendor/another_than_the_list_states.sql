update core.system set vendor_source = 'list' where system_id = 'a';
insert into core.asset (asset_id, kind, system_id, vendor) values ('i1', 'inverter', 'a', 'SMA');
