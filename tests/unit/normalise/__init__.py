"""Tests of hem_etl.normalise, with a slow reader to compare with."""
