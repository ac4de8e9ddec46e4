-- The systems in `wanted` beside their peers, those that fall behind most first.
select
    peer.system_id,
    peer.vendor,
    peer.timezone,
    peer.peers,
    peer.recent_days,
    peer.past_days,
    peer.recent_ratio,
    peer.past_ratio,
    peer.change_ratio,
    peer.is_behind
from marts.peer_comparison as peer
semi join wanted on wanted.system_id = peer.system_id
order by peer.change_ratio nulls last, peer.system_id
