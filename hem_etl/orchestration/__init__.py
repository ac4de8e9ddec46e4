"""Dagster: a thin shell around the road. Nothing outside this package imports Dagster."""
