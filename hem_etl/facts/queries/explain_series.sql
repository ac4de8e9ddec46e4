-- Every series of a day: what the buckets were, coverage, why one is absent.
select coverage.* exclude (system_id, day, vendor, outcome), held.* exclude (system_id, day, metric, is_known)
from marts.coverage_daily as coverage
left join core.series as held
    on held.system_id = coverage.system_id and held.day = coverage.day and held.metric = coverage.metric
where coverage.system_id = $system_id and coverage.day = $day
