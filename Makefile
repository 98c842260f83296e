# Every task a developer repeats. `make run` and `make test` set up everything they need.
.DEFAULT_GOAL := help
.PHONY: screenshots help run test check bench soak docs fmt lock setup clean
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet
TYPED := src $(wildcard docs examples tests bench)
LONG := tests/crash tests/kernel/test_idempotency.py tests/processes tests/openapi/test_answers.py tests/browser/test_console.py \
	$(addprefix src/nexuscore/modules/,payments/tests/test_once.py usage/tests/test_storm.py)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp ## Start everything: database, API and workers
	@NEXUS_LIMITS="$${NEXUS_LIMITS-user=100000/h + 5000/min, anonymous=10000/h}" $(BIN)/nexus serve $(ARGS)

test: .venv/dev.stamp ## Run the tests (ARGS="-k name" narrows them)
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/dev.stamp ## Lint, types and contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(TYPED)
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/contracts

bench: .venv/dev.stamp ## Measure what we claim about speed
	@$(BIN)/python -m bench $(ARGS)

soak: .venv/dev.stamp ## The long runs: kills, races, storms, deliveries, rolling restarts, every page and answer
	@NEXUS_CRASH_ROUNDS=100 NEXUS_IDEMPOTENCY_ROUNDS=1000 NEXUS_SOAK=1 $(BIN)/python -m pytest $(LONG) $(ARGS)

docs: .venv/dev.stamp ## Write the tables of settings, events, commands and errors into docs/
	@$(BIN)/python -m docs.generate

screenshots: .venv/dev.stamp ## Look at the console: small pictures in docs/screens/
	@$(BIN)/python -m docs.screens
	@$(BIN)/python -m docs.every_page

fmt: .venv/dev.stamp ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .
	@$(BIN)/ruff check .

lock: .venv/dev.stamp ## Resolve the locks again (ARGS="--upgrade" takes newer versions)
	@$(COMPILE) --group build --output-file requirements/run.txt $(ARGS)
	@$(COMPILE) --group dev --constraint requirements/run.txt --output-file requirements/dev.txt $(ARGS)

setup: .venv/dev.stamp ## Make .venv ready for an editor

clean: ## Remove what the other tasks made, except data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv

.venv/%.stamp: requirements/%.txt pyproject.toml | .venv/bin/python
	@echo "Installing $<"
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
