# `make run` shows Holdfast at work, `make test` proves that it works; both prepare what they need by themselves.
.DEFAULT_GOAL := help
SHELL := /bin/sh
STATE := .holdfast
PYTHON := $(STATE)/venv/bin/python
# Tests wait for servers more than they compute: three for two processors, of some 2.5 GB each at most. Which files go to
# which process, and in which order, tests/sharing_out.py says.
TEST_PROCESSES ?= 3

.PHONY: run round test fault bench lint clean lock help prepare

help: ## Show these lines
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile

# make ends with 2 for every recipe that failed, with 1 only where it was asked a question (-q) whose answer is no.
# Asked so, it still runs the lines that begin with +, and `make run ONCE=1` ends with 1 when a backup failed.
ifeq ($(MAKECMDGOALS),run)
MAKEFLAGS += --question
endif

run: round ## Start everything, take one backup of each environment, stay up until Ctrl-C (ONCE=1: end after the backups)
	$(if $(filter-out 0,$(file <$(STATE)/run.status)),@exit 1)

round:
	+@mkdir -p $(STATE) && echo 1 >$(STATE)/run.status && tools/bootstrap.sh $(STATE) && \
	exec $(PYTHON) -m holdfast_embedded --status $(STATE)/run.status $(if $(ONCE),--once)

prepare:
	@tools/bootstrap.sh $(STATE)

lint: prepare ## Check style, types and the layers of imports
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	PYTHONPATH=plugins:dags $(STATE)/venv/bin/lint-imports --cache-dir $(STATE)/cache/import-linter

test: ## Run every check and every test; nothing must be started beforehand
	@tools/test-programs.sh
	@$(MAKE) --no-print-directory lint
	PATH="$(CURDIR)/$(STATE)/venv/bin:$$PATH" PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest \
		--numprocesses $(TEST_PROCESSES) --dist loadfile

fault: prepare ## Kill what streams WAL at 200 random moments under load, and compare what is recovered row for row
	PATH="$(CURDIR)/$(STATE)/venv/bin:$$PATH" HOLDFAST_FAULT_ROUNDS=$${HOLDFAST_FAULT_ROUNDS:-200} \
		$(PYTHON) -m pytest --timeout 3600 tests/fault/test_wal_stream_faults.py

bench: prepare ## Measure, print a table and write JSON
	PATH="$(CURDIR)/$(STATE)/venv/bin:$$PATH" $(PYTHON) -m bench

clean: ## Remove all state but the keys: venv, demo databases, demo restore points
	@tools/clean.sh $(STATE)

lock: ## Resolve the dependencies of pyproject.toml anew into requirements.txt
	uv=$$(tools/find-uv.sh $(STATE)) && \
	"$$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.12 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.txt && \
	echo uv | "$$uv" pip compile - --universal --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet --output-file tools/uv.txt
