# What there is to run. `make` alone lists it. Everything is installed into $(VENV); nothing else on the machine is touched.

PYTHON ?=
VENV ?= .venv
VENV_BENCH ?= .venv-bench
ARGS ?=
# Extras to install with it, such as inference (5.5 GB); tests of what is not installed are skipped by name.
EXTRAS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_BENCH := $(VENV_BENCH)/.ready
PIP := -m pip --disable-pip-version-check --quiet

# They would send what is installed somewhere else.
unexport PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo ui review test lint format docs benchmark benchmark-accuracy clean

help:  ## List what there is to run
	@echo "make TARGET [ARGS=...]     The first one makes $(VENV), with PYTHON=... or the first Python 3.11 to 3.13 it finds."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY)  ## Set up, render the demo dataset, audit it, publish ./data/label_quality.duckdb
	@$(BIN)/label-quality demo $(ARGS)
	@echo
	@echo "What next:"
	@echo "  make review"
	@echo "      look at the findings, decide, fix"
	@echo "  make ui"
	@echo "      the run, its tables and its checks in the Dagster UI"
	@echo "  $(BIN)/label-quality sql 'from queue limit 20'"
	@echo "      what to look at first"
	@echo "  $(BIN)/label-quality audit --annotations FILE --images DIR --predictions MODEL=FILE"
	@echo "      your own data"

ui: $(READY)  ## Start the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/label-quality ui $(ARGS)

review: $(READY)  ## Serve the review page on http://127.0.0.1:8100
	@$(BIN)/label-quality review $(ARGS)

test: $(READY_DEV)  ## Set up and run the tests (needs no root); ARGS="-k store" runs some of them, "-n 0" one after another
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(READY_DEV)  ## Check style, layout, types and the floors of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY_DEV)  ## Lay out the code and fix what can be fixed without thought
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY)  ## Write the documentation that is made from the code
	$(BIN)/python -m label_quality.schema > $(VENV)/tables.md
	mv $(VENV)/tables.md docs/tables.md
	$(BIN)/python -m label_quality.metrics > $(VENV)/metrics.md
	mv $(VENV)/metrics.md docs/metrics.md

benchmark: $(READY) $(READY_BENCH)  ## Time the audit beside what people run today (an hour; see benchmarks/README.md)
	$(BIN)/python benchmarks/speed.py --python $(BIN)/python --peers-python $(VENV_BENCH)/bin/python $(ARGS)

benchmark-accuracy: $(READY) $(READY_BENCH)  ## Plant label errors and compare how methods find them (hours with 20 seeds; ARGS="--seeds 2 --quick")
	$(BIN)/python benchmarks/accuracy.py --peers-python $(VENV_BENCH)/bin/python $(ARGS)

clean:  ## Remove environments, caches and generated benchmark files; ./data and the history of runs stay
	rm -rf $(VENV) $(VENV_BENCH) build dist benchmarks/.work
	rm -rf .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find label_quality tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments. A stamp is younger than pyproject.toml as long as nothing has to be installed.

define make_venv
set -e; \
if ! "$(1)/bin/python" -m pip --version >/dev/null 2>&1; then \
  in_range='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
  python="$(PYTHON)"; \
  if [ -z "$$python" ]; then \
    for candidate in python3 python3.13 python3.12 python3.11; do \
      if $$candidate -c "$$in_range" >/dev/null 2>&1; then python=$$candidate; break; fi; \
    done; \
  fi; \
  if ! $${python:-python3} -c "$$in_range" 2>/dev/null; then \
    found=$$($${python:-python3} --version 2>/dev/null) || found="nothing that runs"; \
    echo "make: label_quality needs Python 3.11, 3.12 or 3.13, and $${python:-python3} is $$found." \
         "Name another one: make PYTHON=/path/to/python3.12 ..." >&2; \
    exit 1; \
  fi; \
  if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
    package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
    echo "make: $$python cannot make environments (it has no ensurepip). Install the package $$package" \
         "(as root: apt-get install $$package), then run make again." >&2; \
    exit 1; \
  fi; \
  echo "Making $(1) with $$($$python --version)"; \
  $$python -m venv "$(1)"; \
fi
endef

$(READY): pyproject.toml
	@$(call make_venv,$(VENV))
	@echo "Installing label_quality and what it runs on into $(VENV) (a minute or two)"
	@$(BIN)/python $(PIP) install --editable '.$(if $(EXTRAS),[$(EXTRAS)])'
	@touch $@

# pip reads dependency groups from 25.1 on.
$(READY_DEV): pyproject.toml
	@$(call make_venv,$(VENV))
	@echo "Installing label_quality, what it runs on and what its tests need into $(VENV) (a minute or two)"
	@$(BIN)/python $(PIP) install 'pip>=25.1'
	@$(BIN)/python $(PIP) install --editable '.$(if $(EXTRAS),[$(EXTRAS)])' --group dev
	@touch $(READY) $@

$(READY_BENCH): benchmarks/requirements.txt
	@$(call make_venv,$(VENV_BENCH))
	@$(VENV_BENCH)/bin/python $(PIP) install --requirement $<
	@touch $@
