# Two commands matter: `make serve` and `make test`. The first run of each needs the package index.
SHELL := /bin/bash
.DEFAULT_GOAL := help
HOST ?= 127.0.0.1
PORT ?= 8000
VENV := .venv
STAMPS := .stamps
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := $(VENV)/bin

.PHONY: help serve test lint accuracy bench loading lock docs picture clean image-steps sbom

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 12

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/serve: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test: requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/serve

serve: $(STAMPS)/serve ## Start the service on ${HOST:-127.0.0.1}:${PORT:-8000}
	@echo "Try: curl 'http://$(HOST):$(PORT)/v1/plans?model=llama-3.3-70b&context_tokens=32768&concurrency=16&gpu=h100-sxm5-80gb' -H 'Accept: text/plain'"
	@HOST=$(HOST) PORT=$(PORT) exec $(BIN)/gunicorn --config config/gunicorn.conf.py 'service.app:create_app()'

test: lint ## Run every check and every test
	$(BIN)/python -m pytest -n auto -q

lint: $(STAMPS)/test ## Style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

accuracy: $(STAMPS)/test ## Score the published measurements; write docs/ACCURACY.md and the ranges
	$(BIN)/python -m benchmarks.accuracy

loading: $(STAMPS)/test ## Replay how MXFP4 experts are loaded; shows the shares of the vLLM profiles
	$(BIN)/python -m benchmarks.loading

docs: $(STAMPS)/test ## Write docs/MODELS.md from the catalog
	$(BIN)/python -m benchmarks.models

.PHONY: soak
soak: $(STAMPS)/test ## Faults under load, and a minute of fifty callers; write docs/RELIABILITY.md
	$(BIN)/python -m benchmarks.reliability

bench: $(STAMPS)/test ## Time estimates and plans, in process and over HTTP; write docs/PERFORMANCE.md
	$(BIN)/python -m benchmarks.performance

picture: $(STAMPS)/test ## Take the README's picture anew, as the browser tests leave it
	$(BIN)/python -m pytest -q tests/browser -k serving
	mkdir -p docs/images && cp build/screenshots/readme.png docs/images/page.png

lock: ## Compile the lock files anew (needs uv)
	for name in requirements requirements-dev requirements-sbom; do uv pip compile --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --no-annotate $$name.in -o $$name.txt; done

image-steps: $(BIN)/python ## Run the Dockerfile's steps and its container in a chroot (needs root, no container engine)
	deploy/image-steps.sh $(BIN)/python

# Its tools stand apart: openpyxl reads files in another way where lxml or defusedxml is installed.
sbom: $(BIN)/python ## Write build/sbom.json (CycloneDX) and docs/LICENCES.md
	$(BIN)/python -m venv build/sbom-tools
	build/sbom-tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-sbom.txt
	$(BIN)/python -m venv --clear --without-pip build/sbom-runtime
	build/sbom-tools/bin/pip --python build/sbom-runtime install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	build/sbom-tools/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --of JSON -o build/sbom.json build/sbom-runtime
	$(BIN)/python -m benchmarks.licences build/sbom.json

clean: ## Remove the environment and caches
	rm -rf $(VENV) $(STAMPS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
