-- A page for the first five minutes: each vendor by month.
select
    strftime(month, '%Y-%m') as month,
    vendor,
    systems,
    generation_kwh as generation,
    consumption_kwh as consumption,
    grid_import_kwh as import,
    grid_export_kwh as export,
    consumption_coverage as coverage
from marts.vendor_monthly
order by month, vendor
