"""hem_etl: a batch ETL and DuckDB warehouse for Enode's HEM systems API."""
