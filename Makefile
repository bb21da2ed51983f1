# Two commands: `make run` and `make test`. Each makes the virtual environment on first use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test install lint bench clean

run: .venv/app.stamp
	@$(BIN)/python -m app

install: .venv/app.stamp

test: .venv/test.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/run_all.py

lint: .venv/test.stamp
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy models components app

bench: .venv/test.stamp
	@$(BIN)/python -m tests.benchmarks

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Loss Lab needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/app.stamp: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@# The first import of UMAP compiles for a minute or so and is kept beside the package: better here than in a run.
	@OMP_NUM_THREADS=1 $(BIN)/python -W ignore -c 'import numpy, umap; umap.UMAP(n_neighbors=5, random_state=0).fit(numpy.random.default_rng(0).random((60, 4)))'
	@touch $@

.venv/test.stamp: tests/requirements.txt .venv/app.stamp
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
