# One command each: `make demo`, `make test`, `make check`. Everything runs from .venv in this folder.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# Relative paths throughout: the folder's own name may hold spaces.
STAMP := .venv/.installed

.PHONY: wheels demo test test-fast black-box check lint types imports migrations deploy-check coverage requirements bench mutants help

help:
	@echo "make demo           the console with embedded servers, a sandbox and sample data (ARGS=--once: no browser)"
	@echo "make test           every test, against real PostgreSQL and Valkey (ARGS='-k name' passes arguments on)"
	@echo "make test-fast      the inner loop: without tests that start processes, and other slow tests"
	@echo "make black-box      real workers against targets that misbehave, judged by the targets' state (half an hour)"
	@echo "make check          lint, types, import contract, migrations, deployment check, coverage and every test"
	@echo "make bench          the console's costs, as ratios in one run (ARGS=--quick: some minutes; docs/performance.md)"
	@echo "make wheels         download every package into wheels/: after that, also in a copy of it, no network is needed"
	@echo "make mutants        small mistakes in a copy of the code: which ones does no test detect? (ARGS='--seed N --count N --rooms …')"
	@echo "make requirements   compile requirements/*.in (ARGS=--upgrade renews every pin, ARGS='--upgrade-package NAME' one)"

# New releases must change nothing: no dependency is resolved here, the hash of each file is pinned,
# and nothing is built from source with unpinned build tools. `pip check` then tests that the pins are complete.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes
# `make wheels` downloads all files to this folder; if it exists, the network is not used.
OFFLINE = $(if $(wildcard wheels/*.whl),--no-index --find-links wheels)

$(STAMP): requirements/development.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@$(call make_venv,.venv)
	@echo "Installing requirements/development.txt into .venv$(if $(OFFLINE), from the folder wheels)"
	@$(BIN)/python $(PIP_INSTALL) $(OFFLINE) -r requirements/development.txt || { [ -z "$(OFFLINE)" ] || echo "The folder wheels lacks some: remove it, or fetch them by 'make wheels'."; exit 1; }
	@$(BIN)/python -m pip check --disable-pip-version-check || { echo "The packages in .venv don't fit together: remove .venv and try again."; exit 1; }
	@touch $(STAMP)

# Debian's Python may lack ensurepip's wheels.
make_venv = "$(PYTHON)" -m venv $(1) 2>/dev/null || { rm -rf $(1); "$(PYTHON)" -m venv --without-pip $(1) && $(1)/bin/python -m ensurepip --upgrade; } || { rm -rf $(1); echo "Python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }

wheels:
	@$(call make_venv,.venv)
	$(BIN)/python $(subst install,download,$(PIP_INSTALL)) --dest wheels -r requirements/development.txt

demo: $(STAMP)
	$(BIN)/python manage.py demo $(ARGS)

# More processes than cores: many tests wait for another process. Each file as a whole, the slow ones first.
TEST_PROCESSES ?= 3
IN_PARALLEL = -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: $(STAMP)
	$(BIN)/python -m pytest $(IN_PARALLEL) -m "not black_box" $(ARGS)

test-fast: $(STAMP)
	$(BIN)/python -m pytest $(IN_PARALLEL) -q -m "not black_box and not e2e and not slow" $(ARGS)

# Each test ends within five minutes. Separate from the others, because it needs the whole machine.
black-box: $(STAMP)
	$(BIN)/python -m pytest -m black_box -s $(ARGS)

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

# A promise about conversion: its tests run every line and branch.
coverage: $(STAMP)
	$(BIN)/python -m pytest tests/migration_app/conversion $(IN_PARALLEL) -q --cov=migration_app/conversion --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

# The tests of conversion run once, under coverage.
check: lint types imports migrations deploy-check coverage
	@$(MAKE) --no-print-directory test ARGS="--ignore=tests/migration_app/conversion $(ARGS)"

# In separate processes and a separate database; never part of the tests.
bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

mutants: $(STAMP)
	$(BIN)/python -m tests.mutation.mutants $(ARGS)

# uv has a separate environment: pins must be renewable even if the current ones can't be installed.
requirements: .venv-uv/.installed
	@for files in base "production -c requirements/base.txt" "development -c requirements/production.txt" uv; do \
	  set -- $$files; name=$$1; shift; \
	  .venv-uv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-strip-extras --no-emit-index-url --no-header $(ARGS) "$$@" requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done

.venv-uv/.installed: requirements/uv.txt
	@$(call make_venv,.venv-uv)
	.venv-uv/bin/python $(PIP_INSTALL) -r requirements/uv.txt
	@touch .venv-uv/.installed
