# Needs python3 (3.11 or newer), make, and a package registry that pip and uv can reach.
# Every target sets up what it needs; a second run does nothing again.

PYTHON ?= python3
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The uv there is, else one installed into the repository.
UV := $(shell uv --version > /dev/null 2>&1 && command -v uv || echo .tools/bin/uv)
BIN := .venv/bin
PINS := requirements/run.txt requirements/dev.txt
# Pods choose their own interpreters; this environment is made with PYTHON and nothing is downloaded.
export UV_PYTHON_DOWNLOADS ?= never
export UV_NO_PROGRESS ?= 1

.PHONY: help demo test soak conformance check format-check lint types layers fmt pins bench bench-integrate clean

help: ## Say what can be typed
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: .venv/run-ready ## Use two database drivers that no single environment can hold
	@$(BIN)/python example/side_by_side/run.py

test: .venv/ready ## Run the tests, with branch coverage (TESTS="-k name" for some)
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile \
	  --cov --cov-report=term --cov-fail-under=0 $(TESTS)

# Passed tests print their seeds too (-rP); a seed is given back as PYPODS_TEST_CHAOS_SEED.
soak: .venv/ready ## Run the races in full: 64 x 10,000 calls, minutes of chaos, hundreds of kills, 30 minutes of moving
	@PYPODS_TEST_CALLS=$${PYPODS_TEST_CALLS:-10000} PYPODS_TEST_KILLS=$${PYPODS_TEST_KILLS:-50} \
	  PYPODS_TEST_CHAOS_SECONDS=$${PYPODS_TEST_CHAOS_SECONDS:-60} \
	  PYPODS_TEST_EXAMPLES=$${PYPODS_TEST_EXAMPLES:-2000} \
	  PYPODS_TEST_SOAK_SECONDS=$${PYPODS_TEST_SOAK_SECONDS:-1800} \
	  $(BIN)/python -m pytest -rP tests/wire/test_thresholds.py tests/pods/test_races.py tests/pods/test_chaos.py \
	  tests/pods/test_kills.py tests/pods/test_host_death.py tests/integrator/test_kills.py \
	  tests/pods_conformance/test_server_kills.py tests/pods_conformance/test_soak.py $(TESTS)

# In one process: what came of each check is written into one file for a connector.
conformance: .venv/ready ## Run the suite over every connector in full, and write the results into docs/
	@PYPODS_TEST_LONG=1 PYPODS_RECORD_CONFORMANCE=1 $(BIN)/python -m pytest -k test_it_passes \
	  tests/pods_bigdata tests/pods_conformance tests/pods_files tests/pods_sqlservers tests/pods_stores \
	  tests/pods_web $(TESTS)

check: .venv/ready ## What CI runs: format, lint, types, layers, tests, coverage
	@$(MAKE) format-check lint types layers
	@$(MAKE) test
	@$(BIN)/coverage report --format=total > /dev/null || { \
	  echo "make check: branch coverage of src is under the limit in pyproject.toml"; exit 1; }

format-check: .venv/ready ## Is the code formatted?
	@$(BIN)/ruff format --check

lint: .venv/ready ## Is the code clean?
	@$(BIN)/ruff check

types: .venv/ready ## Are the types right?
	@$(BIN)/mypy

layers: .venv/ready ## Do the arrows point down?
	@$(BIN)/lint-imports

fmt: .venv/ready ## Format the code and repair what can be repaired
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: .venv/run-ready ## Measure what pypods costs, beside others (BENCH="--quick" to try, "--page")
	@$(BIN)/python benchmarks/call.py $(BENCH)

bench-integrate: .venv/run-ready ## Measure moving tables, beside others (BENCH="--quick" to try)
	@$(BIN)/python benchmarks/integrate.py $(BENCH)

pins: | $(UV) ## Pin the newest versions into requirements/*.txt
	@pin() { "$(UV)" pip compile --quiet --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make pins" "$$@"; }; \
	pin requirements/uv.in -o requirements/uv.txt; \
	pin pyproject.toml requirements/build.in -c requirements/uv.txt -o requirements/run.txt; \
	pin pyproject.toml requirements/build.in requirements/dev.in -c requirements/run.txt \
	  -o requirements/dev.txt

clean: ## Remove what the Makefile made
	@rm -rf .venv .tools

# --- set-up -------------------------------------------------------------------------------------

CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "make: pypods needs Python 3.11 or newer and \"$(PYTHON)\" is not;" \
    "name one: make PYTHON=python3.12" >&2; exit 1; }
INSTALL = "$(UV)" pip install --quiet --python $(BIN)/python
INSTALL_PROJECT = $(INSTALL) --no-deps --no-build-isolation --editable .

# All the tools of development.
.venv/ready: requirements/dev.txt .venv/run-ready
	@echo "make: installing the development tools into .venv"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# Only what pypods runs with.
.venv/run-ready: requirements/run.txt pyproject.toml .venv/pyvenv.cfg
	@echo "make: installing pypods into .venv"
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL_PROJECT)
	@touch $@

.venv/pyvenv.cfg: | $(UV)
	@$(CHECK_PYTHON)
	@rm -rf .venv
	@"$(UV)" venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv

# Debian splits pip and venv from python3: either of the two is enough.
.tools/bin/uv: requirements/uv.txt
	@$(CHECK_PYTHON)
	@echo "make: installing uv into .tools"
	@rm -rf .tools
	@if $(PYTHON) -m pip --version > /dev/null 2>&1; then python=$(PYTHON); \
	elif $(PYTHON) -m venv .tools/venv > /dev/null 2>&1; then python=.tools/venv/bin/python; \
	else echo "make: $(PYTHON) has neither pip nor venv (Debian: python3-venv)" >&2; exit 1; fi; \
	$$python -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
	  --require-hashes --target .tools -r requirements/uv.txt
	@touch $@
