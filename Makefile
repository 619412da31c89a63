# One command each: `make demo`, `make test`, `make check`. Everything runs from .venv in this folder.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# Relative paths throughout: the folder's own name may hold spaces.
STAMP := .venv/.installed

.PHONY: demo test check lint types imports migrations deploy-check coverage requirements bench help

help:
	@echo "make demo           the console with embedded servers, a sandbox and sample data (ARGS=--once: no browser)"
	@echo "make test           every test, against real PostgreSQL and Valkey (ARGS='-k name' passes arguments on)"
	@echo "make check          lint, types, import contract, migrations, deployment check, coverage and every test"
	@echo "make bench          what it costs, as ratios in one run (ARGS=--quick: two minutes; docs/performance.md)"
	@echo "make requirements   compile requirements/*.in anew"

$(STAMP): requirements/development.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv; $(PYTHON) -m venv --without-pip .venv && $(BIN)/python -m ensurepip --upgrade; } || { rm -rf .venv; echo "Python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python manage.py demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	CONSOLE_ENV_FILE= SECRET_KEY=types DATABASE_URL=postgresql://localhost/types REDIS_URL=redis://localhost $(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

migrations: $(STAMP)
	CONSOLE_ENV_FILE= SECRET_KEY=migrations $(BIN)/python -m console.devservers run --volatile -- $(BIN)/python manage.py makemigrations --check --dry-run

deploy-check: $(STAMP)
	CONSOLE_ENV_FILE= DEBUG=off ALLOWED_HOSTS=console.example.org DATABASE_URL=postgresql://localhost/console REDIS_URL=redis://localhost \
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

# What the product promises of conversion: every line and branch is run by its tests.
coverage: $(STAMP)
	$(BIN)/python -m pytest tests/migration_app/conversion -q --cov=migration_app/conversion --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

check: lint types imports migrations deploy-check coverage test

# In processes and a database of its own; never part of the tests.
bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

requirements: $(STAMP)
	for name in base production development; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header \
	    requirements/$$name.in -o requirements/$$name.txt || exit 1; done
