# `make` prints what there is. Everything lives in .venv, made from requirements.lock when that changes.

PYTHON ?= python3
export INSTALLER ?= uv
VENV := .venv
BIN := $(VENV)/bin
UV ?= $(BIN)/uv
STAMP := $(VENV)/.installed
COUNT ?= 200
BENCH ?= s1_sweep s2_transition s3_purge s4_store s8_queue s9_workers s13_folders memory
BENCH_ARGS ?=
SOAK_ARGS ?=
PYTEST ?= $(BIN)/python -m pytest
JOBS ?= 2
PYTHONS ?= 3.13 3.14
TESTS ?= tests/unit tests/acceptance
ROWS ?=
OUTPUT ?= table

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage test-s3 test-shipped test-docker test-pythons faults scale mutations rows bench soak lint \
  format images lock clean clean-all

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with everything in it (PYTHON=python3.12, INSTALLER=pip)

$(STAMP): requirements.lock pyproject.toml client/pyproject.toml install/from_lock.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
	  { echo "tierkeeper needs Python 3.11 to 3.14: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "This Python cannot make a venv (Debian: apt-get install python3-venv), or choose another: make PYTHON=…"; \
	    rm -rf $(VENV); exit 1; }
	@echo "Installing what requirements.lock names, then tierkeeper and its client, editable"
	@$(BIN)/python install/from_lock.py
	@touch $@

demo: install ## store real files, age them, turn the tiers, restore, purge (COUNT=200), on embedded services
	@$(BIN)/tierkeeper demo --count $(COUNT) --force-age --tenant demo

test: install ## unit, integration and acceptance tests, on embedded services (JOBS=2 files at once)
	@$(PYTEST) -q -m "not s3 and not shipped and not docker" -n $(JOBS) --dist loadfile

coverage: install ## the tests again, and the branches of each module that none took (half as long again)
	@$(MAKE) --no-print-directory test PYTEST="$(PYTEST) --cov --cov-report=term:skip-covered"

test-s3: install ## the same journeys on a real S3 server (Ceph; root on Debian), started and stopped here
	@PYTHONPATH=tests $(BIN)/python -m s3server run -- $(PYTEST) -q -m s3

test-shipped: install ## both wheels alone, newest and lowest dependencies; the lock with old and new pips (some minutes)
	@$(PYTEST) -q tests/shipped

test-docker: install ## compose.yaml and the image on a real Docker engine, found or started here (root on Debian)
	@PYTHONPATH=tests $(BIN)/python -m dockerengine run -- $(PYTEST) -q -m docker

test-pythons: install ## demo and tests on other Pythons, each in a container (PYTHONS="3.13 3.14" TESTS=tests/unit)
	@PYTHONPATH=tests $(BIN)/python -m dockerengine pythons --jobs $(JOBS) --tests "$(TESTS)" $(PYTHONS)

faults: install ## the fault scenarios, long form (SCENARIO=broker_wiped chooses, TIERKEEPER_TEST_SEED=… repeats)
	@TIERKEEPER_TEST_FAULTS=long $(PYTEST) tests/faults -m "not s3" $(if $(SCENARIO),-k "$(SCENARIO)")

scale: install ## the statements of sweeps and lists on a catalog of 10⁶ artifacts: none scans or grows (some minutes)
	@TIERKEEPER_TEST_FAULTS=long $(PYTEST) -q -s tests/integration/engine/test_large_catalogs.py

mutations: install ## break each rule of the engine in a copy, one at a time: a test must notice (ONLY="R7 hold")
	@PYTHONPATH=tests $(BIN)/python -m mutations $(ONLY)

rows: install ## the rows of docs/reference/requirements.md, their tests and results (ROWS=B5,B6 OUTPUT=json)
	@PYTHONPATH=tests $(BIN)/python -m support.rows --jobs $(JOBS) -o $(OUTPUT) --rows "$(ROWS)"

bench: install ## the figures of docs/reference/benchmarks.md (BENCH="s2_transition" BENCH_ARGS="-n 2000")
	@for figure in $(BENCH); do $(BIN)/python -m benchmarks.$$figure $(BENCH_ARGS) || exit 1; done

soak: install ## half an hour of `tierkeeper up` at half load: memory, waits, errors (SOAK_ARGS="--minutes 10")
	@$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

lint: install ## linters, types, layers
	@$(BIN)/ruff check -q . && echo "ruff check: ok"
	@$(BIN)/ruff format -q --check . && echo "ruff format: ok"
	@$(BIN)/mypy
	@MYPYPATH=tests $(BIN)/mypy --explicit-package-bases tests
	@$(BIN)/lint-imports --no-cache | tail -4

format: install ## format, and mend what the linter can
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

images: ## write the digests of the images that compose.yaml and the Dockerfile name (a registry must answer)
	@$(PYTHON) docker/digests.py

lock: ## compile requirements.lock anew from the pyprojects, extras kept (by .venv's uv; UV=uv for another)
	@$(UV) pip compile -q --universal --generate-hashes --no-strip-extras --all-extras --group dev \
	  --no-emit-package tierkeeper-client --no-emit-index-url --no-emit-find-links --no-header \
	  -p 3.11 pyproject.toml -o requirements.lock
	@echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

clean: ## remove caches and build results
	@rm -rf build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

clean-all: clean ## also remove .venv and the demo's .tierkeeper
	@rm -rf $(VENV) .tierkeeper
