"""`python -m hem_etl` is `hem-etl`."""

from hem_etl.cli import main

if __name__ == "__main__":
    main()
