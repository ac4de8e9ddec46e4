"""The SQL models: reads `dbt_like_sql`, makes its tables, macros and views, writes their comments, runs its checks.

Folder = schema (`tables` → `core`, `staging`, `marts`; `macros` → `main`), file stem = name, and a header that cannot
lie: what it states is compared with what DuckDB says. The order of the views comes from the SQL itself. `header`,
`macros` and `reading` read, `making` makes;
`lineage` tells which columns a column is made from, `dictionary` writes the pages of docs/ that come from the headers.
"""

from hem_etl.warehouse.models.header import Column
from hem_etl.warehouse.models.macros import Macro
from hem_etl.warehouse.models.making import CheckResult, build, create_tables, rows, run_checks
from hem_etl.warehouse.models.model import Check, Model, Models
from hem_etl.warehouse.models.reading import default_folder, load_models

__all__ = [
    "Check",
    "CheckResult",
    "Column",
    "Macro",
    "Model",
    "Models",
    "build",
    "create_tables",
    "default_folder",
    "load_models",
    "rows",
    "run_checks",
]
