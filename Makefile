# One command for hands and for CI. `make help` lists the targets.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
# Where the lab, too, keeps what it builds from Go modules.
LAB_HOME ?= $(HOME)/.cache/lab
VERSION = $(shell manifests/cluster version)
SKAFFOLD := v2.16.1
KUBE_SCORE := v1.20.0
export PATH := $(PATH):$(LAB_HOME)/bin
# Where it is set, as in many images, each of the hundreds of processes of a test run or a demo
# compiles all that it imports once more: more than half of the time of a short one.
unexport PYTHONDONTWRITEBYTECODE
# Pure tests go to any worker; a file of the others stays on one, so that what it shares is made once.
UNIT := -n 2 --dist loadgroup tests/unit
PIPELINE := -n 2 --dist loadfile tests/pipeline
TESTS ?= tests/cluster
# What a test does to the cluster, the next one finds.
IN_ORDER := -p no:randomly --log-cli-level=INFO --durations=15

.PHONY: help demo test test-unit lint lint-charts lint-yaml lint-shell format compile architecture dashboards charts version helm secrets ferretdb skaffold-schema image-registry images load cluster cluster-down test-cluster test-kubeflow test-long canary-demo canary-picture chromium test-browser bench lock clean
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 17

$(VENV)/.done: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=..."'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

demo: $(VENV)/.done ## the whole way of a shot; DATA=folder of season files for real shots
	$(BIN)/parivision demo $(if $(DATA),--data $(DATA))

test: $(VENV)/.done ferretdb image-registry helm skaffold-schema ## unit and pipeline tests with coverage
	$(BIN)/pytest --cov --cov-report= $(UNIT)
	$(BIN)/pytest --cov --cov-append --cov-report=term-missing:skip-covered --cov-fail-under=94 $(PIPELINE)

test-unit: $(VENV)/.done ## the pure tests, under a minute
	$(BIN)/pytest $(UNIT)

lint: $(VENV)/.done lint-charts lint-yaml lint-shell ## ruff, mypy, import rules, yamllint, shellcheck, and the charts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

lint-yaml: $(VENV)/.done ## yamllint on every YAML file that is no template
	$(BIN)/yamllint --strict .pre-commit-config.yaml .github pipelines bentos manifests kind-config.yaml \
	  skaffold.yaml tests/pipeline/rules helm/parivision/charts/monitoring/files/rules

lint-shell: $(VENV)/.done ## shellcheck on every script
	$(BIN)/shellcheck .ci/run tests/lab/lab tests/lab/node/{import-images,runc-lab} manifests/{cluster,install,mirror,canary-demo} helm/*.sh

dashboards: $(VENV)/.done ## write Grafana's dashboards into the chart
	PYTHONPATH=helm $(BIN)/python -m dashboards.write

lint-charts: $(VENV)/.done helm ## helm lint, kube-score and Kubernetes' schemas, on every values file
	@if command -v helm >/dev/null && command -v kube-score >/dev/null; then VALIDATE=$(BIN)/kubernetes-validate helm/lint.sh; \
	else echo "no helm or kube-score, nor go to build them: the charts are not checked"; fi

format: $(VENV)/.done ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

compile: $(VENV)/.done ## compile the pipelines to YAML
	$(BIN)/python -m pipelines.compile

architecture: $(VENV)/.done ## the picture and table of the library's packages, from its imports
	$(BIN)/python docs/packages.py

charts: $(VENV)/.done helm ## render the charts that the tests compare
	$(BIN)/python tests/pipeline/charts.py

version: $(VENV)/.done ## write a release's number wherever it stands: make version VERSION=1.2.3
	@[ "$(origin VERSION)" = "command line" ] || { echo "name the new version: make version VERSION=1.2.3" >&2; exit 2; }
	$(BIN)/bump-my-version bump --new-version "$(VERSION)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	$(MAKE) compile charts

secrets: $(VENV)/.done ## random passwords in the cluster of KUBECONFIG; what exists stays
	$(BIN)/python manifests/secrets.py

helm: ## helm, promtool and kube-score, from their Go modules unless they are there
	@for tool in helm promtool; do command -v $$tool >/dev/null || ! command -v go >/dev/null || tests/lab/lab binaries $$tool; done; \
	command -v kube-score >/dev/null || ! command -v go >/dev/null || { echo "build kube-score"; GOBIN=$(LAB_HOME)/bin CGO_ENABLED=0 \
	  go install -trimpath -ldflags "-s -w" github.com/zegl/kube-score/cmd/kube-score@$(KUBE_SCORE); }

ferretdb: ## a MongoDB server for the tests, from its Go module, where there is no mongod
	@if command -v mongod >/dev/null; then echo "mongod is there"; \
	elif command -v go >/dev/null; then tests/lab/lab binaries ferretdb .tools; \
	else echo "neither mongod nor go: the tests of the MongoDB lake are skipped"; fi

skaffold-schema: ## what skaffold.yaml is held against, from skaffold's Go module
	@if command -v go >/dev/null; then go mod download github.com/GoogleContainerTools/skaffold/v2@$(SKAFFOLD); \
	else echo "no go: skaffold.yaml is not held against its schema"; fi

image-registry: ## a registry of images for the tests, from its Go module, where there is none
	@if command -v registry >/dev/null; then echo "registry is there"; \
	elif command -v go >/dev/null; then tests/lab/lab binaries registry .tools; \
	else echo "neither registry nor go: pushes to a real registry are not tested"; fi

images: ## build the images with Docker, and print their sizes
	@set -e; for target in serving mlflow app components-python; do \
	  name=parivision/$$target:$(VERSION); \
	  docker build --file components/Dockerfile --target $$target --tag $$name .; \
	  docker image inspect --format "$$name {{.Size}} bytes" $$name; done

load: ## copy the images into the kind cluster parivision
	kind load docker-image --name parivision parivision/{serving,mlflow,app,components-python}:$(VERSION)

cluster: $(VENV)/.done ## a cluster of one node with everything on it, up to the first champion
	PYTHON=$(abspath $(BIN)/python) manifests/cluster up

cluster-down: ## take it away again
	manifests/cluster down

test-cluster: $(VENV)/.done ## the tests that need a cluster, on that of `make cluster` or of KUBECONFIG
	@[ -n "$${KUBECONFIG:-}" ] || eval "$$(manifests/cluster env)"; $(BIN)/pytest $(IN_ORDER) $(TESTS)

test-long: $(VENV)/.done ## the long stories, for hours: ten seeds of the loop, then, on a cluster, all bad challengers, sequences, holds, shadow, upgrade; CLUSTER=0: the seeds alone
	PARIVISION_SOAK=1 $(BIN)/pytest $(IN_ORDER) tests/pipeline/test_loop_seeds.py
	[ "$${CLUSTER:-1}" = 0 ] || PARIVISION_SOAK=1 PARIVISION_SEQUENCES=$${PARIVISION_SEQUENCES:-20} $(MAKE) test-cluster

test-kubeflow: $(VENV)/.done ## the tests on Kubeflow Pipelines, at PARIVISION_KFP or on that cluster
	@[ -n "$${KUBECONFIG:-}" ] || eval "$$(manifests/cluster env)"; $(BIN)/pytest $(IN_ORDER) tests/kubeflow

canary-demo: $(VENV)/.done ## a good and a bad challenger under traffic, on the cluster; RECORD=FILE.json: and what docs draw
	PATH="$(abspath $(BIN)):$$PATH" manifests/canary-demo $(if $(RECORD),--record $(RECORD))

canary-picture: $(VENV)/.done ## docs/rollout-demo.svg from the recording beside it
	$(BIN)/parivision rollout picture docs/rollout-demo.json docs/rollout-demo.svg

bench: $(VENV)/.done ferretdb ## costs beside what one would take instead, into docs/bench.md; QUICK=1: a short look; DATA=FOLDER: and of all seasons in it
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m bench $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick --json .parivision/bench.json --page .parivision/bench.md)

chromium: ## the browser of the tests, by apt if it is missing
	@test -x /usr/bin/chromium || { apt-get update -qq && apt-get install --yes -qq --no-install-recommends chromium; } \
	  || { echo 'Chromium is missing and could not be installed: install the package chromium as root' >&2; exit 1; }

test-browser: $(VENV)/.done chromium ## the page in Chromium
	$(BIN)/pytest -p no:randomly tests/browser

lock: $(VENV)/.done ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	  --generate-hashes --no-header --no-emit-package parivision pyproject.toml -o requirements.lock

clean: ## remove what runs and tests leave behind
	rm -rf .parivision .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage build dist
