-- A home whose numbers of $day need an explanation.
select min(system_id) as system_id
from marts.daily_energy
where day = $day and not is_complete and outcome = 'loaded'
having count(*) > 0
