# Everything a person does with a checkout. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
# Python images often set it; each process of the tests would then compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
STAMP := .venv/.ready
# In parallel; tests that share an installation run in one process, the longest first (tests/helpers/suite.py).
TESTS := --numprocesses auto --maxprocesses 8 --dist loadgroup --no-loadscope-reorder
PYTEST := $(BIN)/pytest $(TESTS)
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help setup up demo test test-all test-quick test-deploy test-partitions test-upgrade coverage pictures check lint style types format texts clients bench lock dist release system pythons

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## prepare .venv from the hash-locked dependencies

$(STAMP): requirements.lock pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Varsel needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "preparing .venv (about a minute, once) ..."
	@$(PYTHON) -m venv .venv || { echo "no venv module: install it (Debian: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -q -j 0 .venv/lib engine api scheduler # by all processors, as pip does not
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable clients/python
	@touch $@

up: setup ## start everything on embedded defaults; Ctrl-C stops it
	@$(BIN)/varsel up

demo: setup ## an order becomes a mail, a reminder follows; an event is published, read, pushed and mailed
	@$(BIN)/varsel demo

system: setup # what tests and benchmarks need beyond Python
	@sh tests/install-system.sh

test: setup system ## run the tests; ARGS="--numprocesses 4" goes to pytest
	@$(PYTEST) tests -m 'not variant' $(ARGS)

test-all: setup system ## likewise, each on both databases, screens and paths: before a release
	@$(PYTEST) tests $(ARGS)

test-quick: setup system ## run unit and integration tests on SQLite, without those marked slow: for every day
	@$(PYTEST) tests/unit tests/integration -k 'not postgresql' -m 'not slow' $(ARGS)

test-deploy: setup ## put up image, Compose, manifests and units, and send an order through each (root, podman)
	@sh tests/deploy/install.sh .venv/deploy/tools
	@$(BIN)/python -m tests.deploy.run

test-partitions: setup ## cut links between machines (network namespaces) under load; about eight minutes (root, iptables)
	@$(BIN)/python -m tests.deploy.partitions

test-upgrade: setup system ## upgrade from the release before (FROM=v1.2.0, or a commit) and go back, under load
	@$(BIN)/python -m tests.upgrade.run $(or $(FROM),$(error Name the release before: make test-upgrade FROM=v1.2.0))

pythons: setup system ## install the wheel and deliver a mail on each Python from 3.11 to 3.13 on the machine
	@PYTHONS="$$(sh tests/pythons.sh)" $(BIN)/pytest -vv tests/e2e/test_wheel.py

coverage: setup system ## how much of the code unit and integration tests run; less than 90 % is an error
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest tests/unit tests/integration $(TESTS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

pictures: setup system ## make the pictures in docs/console again
	@SCREENSHOTS=1 $(BIN)/pytest tests/e2e/browser/test_pages.py -k picture

lint: style types ## lint, format check, import contract, types

style: setup # what takes a second
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: setup # what takes half a minute in a new checkout
	@$(BIN)/mypy

format: setup ## rewrite the files in the house format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

texts: setup ## collect the console's texts into its catalogues; a test says which of them want a translation
	@$(BIN)/pybabel --quiet extract --mapping-file=pyproject.toml --project=Varsel --keywords=N2_:1,2 --sort-by-file --add-location=file \
	  --no-wrap --output-file=.venv/console.pot api engine templates
	@$(BIN)/pybabel --quiet update --domain=console --input-file=.venv/console.pot --output-dir=templates/console/locale \
	  --no-wrap --ignore-obsolete --ignore-pot-creation-date

clients: setup ## write what follows from the API in clients/; a test says when it is due
	@$(BIN)/python -m clients.generate

# mypy uses one processor: the tests begin on the others.
check: style ## what CI runs: lint, format, import contract, types, and `make test`
	@$(MAKE) --no-print-directory --jobs=2 types test

bench: setup system ## print every ratio of docs/performance.md, measured here; ARGS="intake delivery": only these
	@$(BIN)/python -m bench $(ARGS)

define BUILD
@rm -rf dist
@$(BIN)/python -m hatchling build --directory dist
@cd clients/python && $(abspath $(BIN))/python -m hatchling build --directory ../../dist
@$(BIN)/python -m clients.tarball dist
@$(BIN)/python .ci/bill.py dist
@cd dist && LC_ALL=C sha256sum * > SHA256SUMS
endef

# The same commit becomes the same bytes, wherever it is built.
dist release: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)

dist: setup ## build Varsel, its clients, the bill of materials and checksums into dist/
	$(BUILD)

release: setup ## lint, run all tests, build what `make dist` builds, and tag the version; pushes nothing
	@sh .ci/releasable >/dev/null
	@$(MAKE) lint test-all
	$(BUILD)
	@version=$$(sh .ci/releasable) && git tag --annotate --message "Varsel $$version" "v$$version"

lock: ## rewrite the locks of dependencies and of the benchmark's peers (needs uv and npm)
	@$(LOCK) --extra embedded --extra tracing --extra dev pyproject.toml --output-file requirements.lock
	@$(LOCK) --extra embedded --extra tracing --constraint requirements.lock pyproject.toml --output-file production.lock
	@sed -n '/^\[build-system\]/,/^$$/s/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | \
	  $(LOCK) --constraint requirements.lock - --output-file build.lock
	@$(LOCK) bench/peers/requirements.in --output-file bench/peers/requirements.lock
	@npm install --prefix bench/peers --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
