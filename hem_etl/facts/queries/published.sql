-- What the doctor tells of the published fleet.
select
    count(*) as systems,
    count(*) - count(vendor) as systems_without_vendor,
    (
        select max_by(failing_rows, at_utc)
        from core.check_result
        where check_name = 'no_home_is_there_twice'
    ) as homes_there_twice
from core.system
where gone_at_utc is null
