.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NO_WEB := the app starts without the view that runs in the browser

.PHONY: help app setup web static deploy test style quality audit notebook benchmark

help:  ## Say what can be made
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

app: $(VENV)/.installed-app web  ## Serve the app at http://127.0.0.1:7860 (HOST and PORT change it)
	$(BIN)/python app.py

setup: $(VENV)/.installed-dev  ## Make the development environment in .venv

web: web/vendor/fflate.js  ## Get what the browser code needs into web/node_modules and web/vendor (needs npm)

static: $(VENV)/.installed-app web  ## Write the live view into static/, for any host of static files (no server)
	$(BIN)/python -m space.static_site --to static

deploy: $(VENV)/.installed-app web  ## Put the app on the Hub: SPACE=USER/NAME MODEL=USER/NAME@REVISION, PRIVATE=1, STATIC=1
	@test -n "$(SPACE)" && test -n "$(MODEL)" || \
		{ echo 'Say which: make deploy SPACE=USER/NAME MODEL=USER/NAME@REVISION'; exit 2; }
	$(BIN)/python -m space.deploy --space "$(SPACE)" --model "$(MODEL)" $(if $(PRIVATE),--private) $(if $(STATIC),--static)

notebook: setup web  ## Open the guided tour in JupyterLab
	$(BIN)/jupyter lab notebooks/live_emotion_detector.ipynb

test: setup web  ## Run all tests, in two processes of one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

style: setup  ## Fix what can be fixed by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

quality: setup  ## Check without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

audit: setup  ## Ask PyPI for known vulnerabilities of all that is installed
	$(BIN)/pip-audit --strict

benchmark: setup  ## Measure latency on this machine (also: python -m benchmarks.live, collecting, soak)
	$(BIN)/python -m benchmarks.latency

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "This needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Could not make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }

$(VENV)/.installed-app: requirements.txt | $(BIN)/python
	@echo 'Installing what the app needs into $(VENV) ...'
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-train.txt requirements-data.txt requirements-ray.txt requirements-dev.txt | $(BIN)/python
	@echo 'Installing what development needs into $(VENV): torch and more, several GB ...'
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.installed-app

web/vendor/fflate.js: web/package.json web/package-lock.json web/vendor.js
	@if ! command -v npm >/dev/null; then echo 'No npm here: $(NO_WEB). On Debian and Ubuntu: sudo apt install nodejs npm'; \
		else (cd web && npm ci && node vendor.js && touch vendor/fflate.js) || echo 'npm failed: $(NO_WEB)'; fi
