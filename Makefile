# Needs git, make and Python 3.11 or newer. Everything else is installed into .venv. `make` alone prints this help.

.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
FLASK := $(PYTHON) -m flask --app app
ARGS ?=
# Four workers for two cores, each with whole files: tests spend half of their time waiting for processes and
# browsers. ARGS="-n 0" runs all in one process, as a debugger needs.
PYTEST = env PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest $(if $(findstring no:xdist,$(ARGS))$(findstring pdb,$(ARGS)),,-n 4 --dist loadfile --no-loadscope-reorder)

# The first Python that is new enough. `make run PY=/path/to/python3.12` chooses another.
# Looked for once: its name is used three times.
ifeq ($(origin PY),undefined)
PY = $(eval PY := $(shell for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done))$(PY)
endif

.PHONY: help run ctl test test-postgresql check bench chaos seed pictures lock translations clean set-up set-up-test set-up-bench find-python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: set-up ## start the portal here, with everything it needs; ROLE=web or ROLE=worker starts a part; Ctrl-C stops it
	@exec $(if $(ROLE),env PORTAL_ROLE=$(ROLE)) $(PYTHON) -m portal.runner

ctl: set-up ## control the running portal: make ctl ARGS=status, ARGS="restart web"
	@exec $(PYTHON) -m portal.runner ctl $(ARGS)

test: set-up-test ## run the tests; ARGS="-k retry" is passed to pytest
	@$(PYTEST) $(ARGS)

test-postgresql: set-up-test ## run the tests with PostgreSQL instead of SQLite
	@TEST_DATABASE=postgresql $(PYTEST) $(ARGS)

check: set-up-test ## run everything that must pass: lint, format, types, templates, tests
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m djlint --lint --quiet templates
	$(PYTEST) $(ARGS)

bench: set-up-bench ## measure how fast it is; BENCH_SHORT=1 for a short round
	@$(PYTHON) -m bench $(ARGS)

# First all actors act on one job in random order, ten thousand steps on each database; then real processes are killed,
# half of the times on SQLite, half on PostgreSQL.
chaos: set-up-test ## break the portal on purpose, on both databases, and count what is lost; CHAOS_FAULTS=20 SHELF_KILLS=2 BUDGET_RUNS=20 MACHINE_STEPS=500 for a short round
	@$(if $(MACHINE_STEPS),,MACHINE_SEARCH=1) MACHINE_STEPS=$${MACHINE_STEPS:-10000} $(PYTHON) -m pytest -q tests/jobs/test_machine.py -k "forbidden or search"
	@KILL_STRIDE=$${KILL_STRIDE:-1} $(PYTHON) -m pytest -q -s tests/notices/test_sender_kills.py
	@WAITING_FILES=1000 $(PYTHON) -m pytest -q -n0 tests/jobs/sweep/test_waiting.py -k a_day_at
	@LIBREOFFICE_WORKBOOKS=$${LIBREOFFICE_WORKBOOKS:-24} $(PYTHON) -m pytest -q -n0 tests/jobs/export/test_libreoffice_workbooks.py
	@for database in sqlite postgresql; do TEST_DATABASE=$$database BUDGET_RUNS=$${BUDGET_RUNS:-1000} $(PYTHON) -m pytest -q -n0 tests/jobs/attempt/test_budget.py -k random || exit; done
	@ROLLING_ROUNDS=$${ROLLING_ROUNDS:-5} $(PYTHON) -m pytest -q -n0 tests/hosts -k rolling
	@$(PYTHON) -m tests.chaos $(ARGS)

seed: set-up ## create example users, files and jobs
	@$(FLASK) db upgrade && $(FLASK) seed $(ARGS)

pictures: set-up-test ## take the pictures of docs/design.md again
	@$(PYTHON) -m tests.browser.pictures

lock: ## pin all packages again from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	uv export -q --no-emit-project --no-dev --format requirements-txt --no-header -o requirements.txt
	uv export -q --no-emit-project --no-dev --extra s3 --format requirements-txt --no-header -o requirements-s3.txt
	uv export -q --no-emit-project --all-extras --format requirements-txt --no-header -o requirements-dev.txt
	rm -f uv.lock
	for name in httpbin moto bench; do uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header requirements-$$name.in -o requirements-$$name.txt || exit; done

translations: set-up ## compile the translations that have changed

clean: ## remove installed packages and caches; keep the data directory
	rm -rf .venv .venv-httpbin .venv-moto .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results
	find portal tests bench deploy -name __pycache__ -prune -exec rm -rf {} +
	find portal/translations -name '*.mo' -delete

find-python:
	@"$(PY)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and none was found. Install one, or name it: make PY=/path/to/python3.12"; \
		exit 1; }

set-up: find-python
	@$(PY) deploy/set_up.py run

set-up-test: find-python
	@$(PY) deploy/set_up.py test

set-up-bench: find-python
	@$(PY) deploy/set_up.py bench
