# Everything a fresh machine with python3 (3.11 or newer) and make needs: each target does its own set-up in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint bench bench-full verify requirements clean

run: .venv/run
	$(BIN)/cluster-sim compare configs/compare-trillion.yaml

# Files of tests side by side, on as many cores as there are.
test: .venv/dev
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

verify: .venv/dev
	CLUSTER_SIM_VERIFY=full $(BIN)/python -m pytest tests/verification -s

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-disable-gc
	$(BIN)/python -m tests.benchmarks.simgrid

bench-full: .venv/dev
	CLUSTER_SIM_BENCH=full $(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-disable-gc
	$(BIN)/python -m tests.benchmarks.simgrid --full

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cluster_sim needs python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	touch $@

# Pinned and hashed; run after changing pyproject.toml. Needs uv.
requirements:
	uv pip compile --universal --generate-hashes --no-header --quiet pyproject.toml -o requirements.txt
	uv pip compile --universal --generate-hashes --no-header --quiet --extra dev pyproject.toml -o requirements-dev.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
