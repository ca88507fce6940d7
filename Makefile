# The commands of the project. They need Python 3.11 or newer and make, nothing else.
#
#   make run     start everything on embedded defaults (ARGS="--port 9000 --data-dir DIR --no-demo")
#   make demo    the same on a scratch directory for 60 s, then a summary (ARGS="--seconds 30")
#   make test    every test on SQLite, what uses the database on PostgreSQL too
#   make chaos   everything goes wrong for minutes; nothing may be lost (ARGS="--seed 7")
#   make check   lint, types, contracts, migrations and tests: what CI runs
#   make bench   benchmarks, ten minutes (ARGS="--only NAME", "--quick", "--all")

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
APPS := arbplatform markets accounts ledger strategies
SOURCES := $(APPS) tests benchmarks manage.py
ARGS ?=
# Two test processes: the machines this is built on have two cores.
TEST_PROCESSES ?= 2
PYTEST := $(PY) -m pytest -q
PARALLEL := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
# Tests start hundreds of processes of the same code: it is compiled once, also where the environment
# says that nothing compiled is to be kept. ("make clean" removes it.)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run demo test test-sqlite test-pure test-database test-postgres test-databases \
        test-e2e e2e-sqlite e2e-postgres chaos chaos-part check static checked-and-pure lint types \
        contracts migrations format bench messages clean

help:
	@sed -n 's/^#   //p' Makefile

run: $(VENV)/.runtime
	@exec $(PY) manage.py up $(ARGS)

demo: $(VENV)/.runtime
	@exec $(PY) manage.py demo $(ARGS)

test: test-sqlite test-postgres test-e2e

# All but what brings a server of its own, which runs with the rest on PostgreSQL.
test-sqlite: $(VENV)/.development
	DATABASE_URL= $(PYTEST) $(PARALLEL) -m "not own_server" --ignore=tests/e2e

# The same in two parts. (The fuzzer needs seconds to make its tests, and the database for each.)
test-pure: $(VENV)/.development
	DATABASE_URL= $(PYTEST) $(PARALLEL) -m "not database" --ignore=tests/e2e \
		--ignore=tests/api/test_fuzz.py

test-database: $(VENV)/.development
	DATABASE_URL= $(PYTEST) $(PARALLEL) -m "database and not own_server" --ignore=tests/e2e

# Only what uses the database: the rest cannot even open a connection, and runs on SQLite.
test-postgres: $(VENV)/.development
	$(PY) -m tests.postgres $(PYTEST) $(PARALLEL) -m database --ignore=tests/e2e

# What uses the database, on both: each waits for a third of its time, in which the other computes.
test-databases: $(VENV)/.development
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-database test-postgres

# Real processes in real time: two stacks at once on two cores would measure the machine.
test-e2e: e2e-sqlite e2e-postgres

e2e-sqlite: $(VENV)/.development
	DATABASE_URL= $(PYTEST) $(PARALLEL) tests/e2e

e2e-postgres: $(VENV)/.development
	$(PY) -m tests.postgres $(PYTEST) $(PARALLEL) tests/e2e

chaos: $(VENV)/.development
	@$(PY) -m tests.chaos $(ARGS)

# What CI runs of it: the same seed every time.
chaos-part: $(VENV)/.development
	@$(PY) -m tests.chaos --seed 1 --seconds 120 --executions 100

# Chaos waits for much of its time; what computes only, and touches no database, takes what is left.
# Contracts and migrations are among the tests (tests/architecture): they are not checked twice.
check: $(VENV)/.development
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target checked-and-pure chaos-part
	@$(MAKE) --no-print-directory test-databases test-e2e

static: lint types contracts migrations

checked-and-pure: $(VENV)/.development
	@nice $(MAKE) --no-print-directory lint types test-pure

lint: $(VENV)/.development
	$(PY) -m ruff check $(SOURCES)
	$(PY) -m ruff format --check $(SOURCES)

types: $(VENV)/.development
	$(PY) -m mypy

contracts: $(VENV)/.development
	$(VENV)/bin/lint-imports

migrations: $(VENV)/.development
	DJANGO_SETTINGS_MODULE=arbplatform.settings.test $(PY) manage.py makemigrations --check --dry-run

format: $(VENV)/.development
	$(PY) -m ruff check --fix $(SOURCES)
	$(PY) -m ruff format $(SOURCES)

bench: $(VENV)/.development
	@$(PY) -m benchmarks $(ARGS)

messages: $(VENV)/.development
	DJANGO_SETTINGS_MODULE=arbplatform.settings.test $(PY) manage.py messages

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

# --- the environment -----------------------------------------------------------------------------

# python3.11 first: it is what the pinned wheels were proven on. PYTHON=… overrides.
PYTHON ?= $(shell for each in python3.11 python3 python3.12 python3.13 python; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$each"; break; }; done)
PIP := $(PY) -m pip --disable-pip-version-check --quiet

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { \
		echo "arbplatform needs Python 3.11 or newer, and none was found. Install it, or run: make PYTHON=/path/to/python3.11 …" >&2; \
		exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) could not make a virtual environment. On Debian and Ubuntu install the package python3-venv." >&2; \
		exit 1; }

# A stamp is written last: an interrupted installation is taken up again.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "Installing what arbplatform needs into $(VENV) (about half a minute, once) …"
	@$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "Installing what arbplatform and its tests need into $(VENV) (about a minute, once) …"
	@$(PIP) install -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime
