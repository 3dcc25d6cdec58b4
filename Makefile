# Every target makes and fills .venv by itself: a machine with Python (>= 3.11) and make needs nothing else.
# PYTHON=python3.13 make test   takes another interpreter (`make clean` first).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of pytest. Half of the tests wait for another process.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(max(2, os.cpu_count() * 3 // 2))')
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start some hundred processes; each would compile everything again without the files that are kept here.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

.PHONY: help demo test quick check coverage graph docs migrate release-check lowest format bench bench-check drills simulate fuzz mutants clean
.DEFAULT_GOAL := help

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/demo.filled  ## Watch an API accept, refuse and survive, in less than half a minute
	$(BIN)/python examples/demo.py

test: $(VENV)/test.filled  ## Run every test, the documentation's examples too
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

quick: $(VENV)/test.filled  ## Run the tests of the core, without processes and frameworks, in less than a minute
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" $(addprefix tests/,token keys security net presets introspection) tests/test_*.py

check: $(VENV)/check.filled  ## Lint, format check, words, types (ours and those our users see), import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/test_words.py
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --no-build-isolation --target $(VENV)/installed .
	cd $(VENV)/installed && PYTHONPATH=. pyright --ignoreexternal --verifytypes m2mguard
	$(BIN)/lint-imports --no-logo

graph: $(VENV)/check.filled  ## Draw the imports between our packages; writes docs/images/imports.svg
	$(BIN)/python -m tools.graph

coverage: $(VENV)/test.filled  ## Run the tests and fail below the branch coverage gate
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

docs: $(VENV)/docs.filled  ## Build the documentation site into build/docs; a warning is an error
	$(BIN)/python -m tools.settings_page
	$(BIN)/python -m tools.keys_picture
	$(BIN)/python -m m2mguard why --markdown > docs/reference/why.md
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --fresh-env --builder html docs build/docs
	@echo "open build/docs/index.html"

migrate: $(VENV)/migrate/bin/python  ## Prove what the pages in docs/migrate say of other libraries, against those libraries
	$< -m pytest -q -p no:asyncio tests/migrate

$(VENV)/migrate/bin/python: pyproject.toml $(BIN)/pip
	$(PYTHON) -m venv $(VENV)/migrate
	$(VENV)/migrate/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)/migrate/bin/python -m pip install --quiet --editable . --group migrate
	touch $@

release-check: $(VENV)/release.filled $(VENV)/lowest.filled  ## Build wheel and sdist, and test what was built on every Python found (long)
	$(BIN)/python -m tools.release_check

lowest: $(VENV)/lowest.filled  ## Run the tests with the oldest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/lowest
	$(BIN)/uv pip install --quiet --python $(VENV)/lowest --resolution lowest-direct \
		--requirements pyproject.toml --all-extras --group test --editable . \
		"httpx>=0.28"  # which the oldest Starlette's test client is built on
	$(VENV)/lowest/bin/python -m pytest

format: $(VENV)/check.filled  ## Let ruff repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/bench.filled  ## Measure us beside our peers; writes docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks

bench-check: $(VENV)/test.filled  ## Run every part of `bench` once, as briefly as it can
	$(BIN)/python -m pytest -m benchmark tests/benchmarks

drills: $(VENV)/bench.filled  ## Put every key fault to us and to our peers; writes docs/explanation/drills.md
	$(BIN)/python -m benchmarks.drills

simulate: $(VENV)/test.filled  ## Twenty thousand histories of a fleet that shares a block list (long)
	M2M_HISTORIES=20000 $(BIN)/python -m pytest -n $(WORKERS) tests/simulation

fuzz: $(VENV)/fuzz.filled  ## Ten minutes of coverage-guided fuzzing
	$(BIN)/python -m fuzz

mutants: $(VENV)/mutants.filled  ## Break every rule on purpose, one at a time, and see which tests notice (long)
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

clean:  ## Remove everything that the other targets made
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache tests/interop/node_modules

$(BIN)/pip: 
	$(PYTHON) -c 'import sys; sys.exit("m2mguard needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

# One stamp per dependency group of pyproject.toml: a second run installs nothing and needs no network.
$(VENV)/%.filled: pyproject.toml $(BIN)/pip
	$(BIN)/python -m pip install --quiet --editable . --group $*
	touch $@
