# Every target does its own set-up: it makes a virtual environment in $(VENV) and installs what it needs there.
# Another interpreter: make test PYTHON=python3.13     More for pytest: make test ARGS='-k ledger -x'

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
# Two stamps in one environment: the package alone, which is all the demo needs, and the tools as well.
PACKAGE := $(VENV)/.installed-package
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-fleet test test-long lint types docs bench build clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(PACKAGE) ## a runaway agent meets the gate
	@$(PY) examples/runaway_agent.py $(ARGS)

demo-fleet: $(PACKAGE) ## a fleet of agents on one ledger, one of them killed
	@$(PY) examples/fleet.py $(ARGS)

test: $(DEV) ## the test suite
	$(PY) -m pytest -n 2 $(ARGS)

test-long: $(DEV) ## the long proofs, which `make test` leaves out
	$(PY) -m pytest -n 2 -m long --timeout 3600 $(ARGS)

lint: $(DEV) ## ruff: rules and format
	$(PY) -m ruff check
	$(PY) -m ruff format --check

types: $(DEV) ## mypy and pyright
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)

docs: $(DEV) ## the documents as pages, in build/docs; a warning is an error
	$(PY) -m scripts.write_docs --check
	$(PY) -W error -m mkdocs build --strict

bench: $(DEV) ## the figures, as ratios measured in one run
	$(PY) -m benchmarks $(ARGS)

build: $(DEV) ## sdist and wheel, in dist/
	rm -rf dist
	$(PY) -m build --no-isolation

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is made last, so that an environment which was left half made is made again.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not (or is not there)." >&2; \
		echo "Name another: make PYTHON=python3.13" >&2; \
		exit 1; }
	@echo "Making the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu the package python3-venv brings it." >&2; \
		exit 1; }

$(PACKAGE): pyproject.toml constraints-dev.txt | $(VENV)/bin/pip
	@echo "Installing the package ..."
	@$(PIP) install -q -c constraints-dev.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints-dev.txt | $(VENV)/bin/pip
	@echo "Installing the package and its tools ..."
	@$(PIP) install -q -c constraints-dev.txt -e '.[dev]'
	@touch $(PACKAGE) $@
