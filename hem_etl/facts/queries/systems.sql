-- The fleet and its devices, of the users in `wanted` (id) or of all.
select
    system.system_id,
    system.user_id,
    system.vendor,
    system.timezone,
    system.is_reachable,
    system.last_seen_utc,
    system.gone_at_utc,
    string_agg(concat_ws(' ', asset.kind, asset.brand, asset.model), ', ' order by asset.asset_id) as assets
from core.system as system
left join core.asset as asset on asset.system_id = system.system_id
where system.user_id in (select id from wanted) or not exists (select id from wanted)
group by all
order by system.system_id
