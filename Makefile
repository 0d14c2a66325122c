# `make help` lists the targets. PYTHON makes the environment, VENV is where it lies, ARGS goes to pytest,
# TORCH_INDEX_URL (https://download.pytorch.org/whl/cpu, …/cu126, …) says where torch comes from on other machines.

PYTHON ?= python3
VENV ?= .venv
TIME_LIMIT ?= 60s
JOBS ?= 2
ARGS ?=

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

IN := "$(VENV)/bin/python" -m
INSTALL := $(IN) pip install --quiet --constraint constraints.txt
export OMP_NUM_THREADS = 1

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(VENV)/.ready  ## Install, then search a network for handwritten digits for a minute
	"$(VENV)/bin/netwright" search digits --time-limit $(TIME_LIMIT)

.PHONY: test
test: $(VENV)/.ready-test  ## Install what tests need and run all of them (ARGS="tests/space -x")
	$(IN) pytest -n $(JOBS) $(ARGS)

.PHONY: lint
lint: $(VENV)/.ready-lint  ## Check the style with ruff
	$(IN) ruff check src tests $(wildcard benchmarks examples)

.PHONY: types
types: $(VENV)/.ready-lint  ## Check the types of the package with mypy
	$(IN) mypy

.PHONY: floors
floors: $(VENV)/.ready-lint  ## Check that rooms import only from floors below
	"$(VENV)/bin/lint-imports"

.PHONY: check
check: lint types floors test  ## All of lint, types, floors and test

.PHONY: faults
faults: $(VENV)/.ready-test  ## Kill, damage and mislead; print the table of faults
	$(IN) tests.faults $(ARGS)

.PHONY: bench
bench: $(VENV)/.ready-bench  ## Run every benchmark, one after another
	for benchmark in benchmarks/*.py; do echo "== $$benchmark"; "$(VENV)/bin/python" "$$benchmark"; done

.PHONY: clean
clean:  ## Remove caches and builds; searches in runs/ and the environment stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: distclean
distclean: clean  ## Remove the environment too
	rm -rf "$(VENV)"

# The stamps below lie in the environment: it is made once, and installed into again when these files change.

$(VENV)/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Netwright needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}. Choose another: make PYTHON=python3.12 …")'
	"$(PYTHON)" -m venv "$(VENV)"

# torch alone and first: what comes after finds it installed and fetches no other build.
$(VENV)/.ready-torch: constraints.txt | $(VENV)/bin/python
	@echo "Installing torch into $(VENV) …"
	$(INSTALL) $(if $(TORCH_INDEX_URL),--index-url "$(TORCH_INDEX_URL)") torch
	@touch "$@"

$(VENV)/.ready: pyproject.toml $(VENV)/.ready-torch
	@echo "Installing netwright into $(VENV) …"
	$(INSTALL) --editable ".[data]"
	@touch "$@"

$(VENV)/.ready-%: pyproject.toml $(VENV)/.ready-torch
	@echo "Installing netwright and what '$*' needs into $(VENV) …"
	$(INSTALL) --editable ".[$*]"
	@touch "$@" "$(VENV)/.ready"
