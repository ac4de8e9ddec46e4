# Every target makes .venv by itself where it is missing; only Python 3.11+ with venv, and make, are needed.
PYTHON ?= python3
BIN := .venv/bin
IS_NEW_ENOUGH := import sys; sys.version_info >= (3, 11) or sys.exit( \
  "Python 3.11 or newer is needed; $(PYTHON) is " + sys.version.split()[0] + ": make demo PYTHON=python3.11 takes another")
# Each test of tests/road, tests/golden and tests/sql runs with --engine=lake; all of them take some three times as long.
ON_A_LAKE := tests/golden tests/sql/test_documented_queries.py \
  $(patsubst %,tests/road/test_%.py,loading nothing_due overrides own_models runs)

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-slow test-all test-lake lint format bench bench-webhooks bench-scale docs clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

demo: .venv/installed ## the whole road on the simulator, in ./hem_demo
	@$(BIN)/hem-etl demo

dev: .venv/installed ## Dagster on a simulated fleet: webserver and daemon, in ./hem_dev
	@$(BIN)/python -m hem_etl.orchestration.dev

test: .venv/installed ## the fast tests, on the simulator: no network
	@$(BIN)/python -m pytest

test-slow: .venv/installed ## the slow ones alone: real processes and daemons, long sweeps
	@$(BIN)/python -m pytest -m "slow and not large"

test-all: test test-slow ## both tiers

test-lake: .venv/installed ## some tests once more with the tables in a DuckLake, and those of a lake on Postgres and S3, of Celery too
	@$(BIN)/python tests/postgres.py
	@$(BIN)/python tests/broker.py
	@$(BIN)/python tests/seaweed.py
	@$(BIN)/python -m pytest -n 1 -m "services and not large"
	@$(BIN)/python -m pytest --engine=lake $(ON_A_LAKE)

lint: .venv/installed ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@cd tests && ../$(BIN)/mypy
	@cd benchmarks && ../$(BIN)/mypy

bench: .venv/installed .venv-peers/installed ## all that is measured, beside other tools: table, JSON, docs/performance.md
	@$(BIN)/python benchmarks/bench.py --json docs/performance.json --page docs/performance.md

bench-webhooks: .venv/installed ## a receiver that is killed while deliveries come; how fast one answers
	@$(BIN)/python benchmarks/webhooks.py

bench-scale: .venv/installed ## file and lake side by side, and what a daily run of 1,000 to 100,000 homes takes
	@$(BIN)/python tests/postgres.py
	@$(BIN)/python benchmarks/scale.py --json docs/scale.json

docs: .venv/installed ## docs/data_dictionary.md and docs/lineage.md, from the SQL models
	@$(BIN)/python -m hem_etl.warehouse.models.dictionary

format: .venv/installed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-peers hem_demo hem_dev .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv (once)"
	@test -x $(BIN)/pip || $(PYTHON) -c '$(IS_NEW_ENOUGH)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-peers/installed: benchmarks/constraints.txt
	@echo "Installing what the bench compares with into .venv-peers (once)"
	@test -x .venv-peers/bin/pip || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@
