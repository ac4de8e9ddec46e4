"""The sums of a report: of peaks that are as high, the first is told, in whatever order rows lie."""

from datetime import date

import duckdb
import polars as pl
import pytest

from hem_etl.facts.queries import text
from hem_etl.warehouse import Reader
from hem_etl.warehouse.models import build, create_tables, load_models

DAYS = (date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4))


@pytest.mark.parametrize("order", [DAYS, DAYS[::-1], (DAYS[1], DAYS[0], DAYS[2])])
def test_of_peaks_that_are_as_high_the_first_is_told(order: tuple[date, ...]) -> None:
    peaks = {DAYS[0]: None, DAYS[1]: 11.0, DAYS[2]: 11.0 + 1e-12}
    with duckdb.connect() as con:
        create_tables(con, load_models())
        con.execute("insert into core.system (system_id, timezone) values ('home', 'UTC')")
        for day in order:
            con.execute(
                "insert into core.load (system_id, interval, interval_kind, day, outcome, timezone, loaded_at_utc) "
                "values ('home', ?, 'day', ?, 'loaded', 'UTC', '2026-05-01')",
                [str(day), day],
            )
            con.execute(
                "insert into core.day_energy by name select 'home' as system_id, ?::date as day, "
                "? as grid_import_peak_kw, case when ? then ?::date + interval 18 hour end as grid_import_peak_at_utc, "
                "grid_import_peak_at_utc as grid_import_peak_at_local",
                [day, peaks[day], peaks[day] is not None, day],
            )
        build(con, load_models())
        sums = Reader(con).read(
            text("report_sums"),
            wanted=pl.DataFrame({"system_id": ["home"], "part": ["home"]}),
            period=pl.DataFrame({"first_day": [DAYS[0]], "last_day": [DAYS[-1]]}),
        )
    assert [(row["peak_import_kw"], row["peak_import_at_local"].date()) for row in sums.rows(named=True)] == [
        (pytest.approx(11.0), DAYS[1])
    ]
