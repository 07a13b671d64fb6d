# One command for hands and for CI. `make help` lists the targets.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
# Pure tests go to any worker; a file of the others stays on one, so that what it shares is made once.
UNIT := -n 2 --dist loadgroup tests/unit
PIPELINE := -n 2 --dist loadfile tests/pipeline

.PHONY: help demo test test-unit lint format compile ferretdb lock clean
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.done: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=..."'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

demo: $(VENV)/.done ## the whole way of a shot; DATA=folder of season files for real shots
	$(BIN)/parivision demo $(if $(DATA),--data $(DATA))

test: $(VENV)/.done ferretdb ## unit and pipeline tests with coverage
	$(BIN)/pytest --cov --cov-report= $(UNIT)
	$(BIN)/pytest --cov --cov-append --cov-report=term-missing:skip-covered $(PIPELINE)

test-unit: $(VENV)/.done ## the pure tests, under a minute
	$(BIN)/pytest $(UNIT)

lint: $(VENV)/.done ## ruff, mypy, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .github pipelines bentos

format: $(VENV)/.done ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

compile: $(VENV)/.done ## compile the pipelines to YAML
	$(BIN)/python -m pipelines.compile

ferretdb: ## a MongoDB server for the tests, from its Go module, where there is no mongod
	@if command -v mongod >/dev/null; then echo "mongod is there"; \
	elif command -v go >/dev/null; then bash tests/lab/ferretdb/build.sh; \
	else echo "neither mongod nor go: the tests of the MongoDB lake are skipped"; fi

lock: $(VENV)/.done ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	  --generate-hashes --no-header --no-emit-package parivision pyproject.toml -o requirements.lock

clean: ## remove what runs and tests leave behind
	rm -rf .parivision .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build dist
