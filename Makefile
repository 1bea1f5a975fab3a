# Trailmate: `make demo` shows it, `make test` proves it, `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
ONCE ?=
PORT ?= 8000
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# One thread per process keeps answers and bundles reproducible; parallelism comes from processes.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: help setup test-setup check-setup demo test check serve bench soak browser spark clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Trailmate needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.ready: $(BIN)/python pyproject.toml constraints.txt hatch_build.py $(wildcard engine/*/kernels.c)
	@echo "Installing Trailmate into .venv (about two minutes the first time) ..."
	$(PIP) --editable '.[training]'
	@touch $@

.venv/.ready-test: .venv/.ready
	$(PIP) --editable '.[test]'
	@touch $@

.venv/.ready-dev: .venv/.ready-test
	$(PIP) --editable '.[dev]'
	@touch $@

setup: .venv/.ready  ## install everything a run needs; leaves .venv/bin/trailmate
test-setup: .venv/.ready-test
check-setup: .venv/.ready-dev

demo: setup  ## simulate a school, train, serve on PORT=8000 and show; ONCE=1 stops by itself
	$(BIN)/python -m trailmate.demo --port $(PORT) $(if $(ONCE),--once)

test: test-setup  ## run all tests
	$(BIN)/python -m pytest -m 'not soak' -n 2 --dist worksteal

check: check-setup  ## ruff, mypy strict, import laws
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: setup  ## serve the bundle named by TRAILMATE_BUNDLE
	$(BIN)/trailmate serve --port $(PORT)

bench: test-setup  ## measure what docs/figures.md reports
	$(BIN)/python -m tests.servers $(BIN)/python -m experiments.bench

soak: test-setup  ## the long runs
	$(BIN)/python -m pytest -m soak --timeout 3600

browser:  ## install Debian's Chromium, which the browser tests look for
	command -v chromium >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install --yes --no-install-recommends chromium; }

spark: test-setup  ## install PySpark and Debian's Java
	command -v java >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install --yes --no-install-recommends openjdk-17-jre-headless; }
	$(PIP) --editable '.[spark]'

clean:  ## remove what the targets made
	rm -rf .venv trailmate-data .pytest_cache .mypy_cache .ruff_cache .hypothesis
