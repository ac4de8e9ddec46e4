"""hem_etl: a batch ETL and DuckDB warehouse for Enode's HEM systems API."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hem_etl")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0"
