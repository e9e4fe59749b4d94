.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NO_WEB := the app starts without the view that runs in the browser

.PHONY: help app setup web web-dev static deploy test acceptance coverage style quality requirements audit notebook benchmark figures

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

test: setup web-dev  ## Run the tests of the parts, in two processes of one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 40 --ignore tests/acceptance

acceptance: setup web-dev  ## Run the tests of the whole: notebook, loop, benchmarks, a fresh environment, the wheel
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20 tests/acceptance

coverage: setup web-dev  ## Run all tests and measure what they cover, which has a floor; slower than `make test`
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov
	cd web && node --test --experimental-test-coverage

style: setup  ## Fix what can be fixed by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

quality: setup web-dev  ## Check without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/requirements.py --check
	$(BIN)/deptry .
	$(BIN)/ty check
	@if command -v npm >/dev/null; then cd web && npm run --silent lint; else echo 'No npm here: web/ is not checked'; fi

requirements: setup  ## Write requirements*.txt and requirements.lock anew from pyproject.toml (asks PyPI for the hashes)
	$(BIN)/python .ci/requirements.py
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command 'make requirements' --constraint requirements-train.txt \
		--constraint requirements-data.txt --output-file requirements.lock requirements.txt

audit: setup  ## Ask PyPI for known vulnerabilities of all that is installed
	$(BIN)/pip-audit --strict

# FER2013 with FER+ votes, and a folder of genki.parquet, london.parquet and yale.parquet.
FERPLUS ?= ../shared/data/ferplus
FACES ?= ../shared/data/faces
figures: setup web  ## Measure everything that the documents show, on a calm machine, and insert it (hours)
	$(BIN)/python -m benchmarks.figures bundle
	$(BIN)/python -m benchmarks.latency --repeats 60
	$(BIN)/python -m benchmarks.latency_in_browser
	$(BIN)/python -m benchmarks.first_label
	$(BIN)/python -m benchmarks.predict_folder --pictures 100000 --workers 2
	$(BIN)/python -m benchmarks.collecting
	$(BIN)/python -m benchmarks.live
	$(BIN)/python -m benchmarks.live --long
	$(BIN)/python -m benchmarks.live --rest
	$(BIN)/python -m benchmarks.live --visitors 1 --visitors 2 --visitors 4 --visitors 8 --visitors 16 --visitors 32
	$(BIN)/python -m benchmarks.soak --attack --minutes 1.5
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.peers --data $(FERPLUS) --faces $(FACES)
	$(BIN)/python -m benchmarks.shared_lead --data $(FERPLUS)
	$(BIN)/python -m benchmarks.mirror_images --data $(FERPLUS)
	$(BIN)/python -m benchmarks.personal measure --folder $(FACES)
	$(BIN)/python -m benchmarks.moving_picture
	$(BIN)/python -m train card
	$(BIN)/python -m benchmarks.figures insert

benchmark: setup  ## Measure latency on this machine (also: python -m benchmarks.live, collecting, soak)
	$(BIN)/python -m benchmarks.latency

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "This needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Could not make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }

$(VENV)/.installed-app: requirements.lock | $(BIN)/python
	@echo 'Installing what the app needs into $(VENV) ...'
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-train.txt requirements-data.txt requirements-ray.txt requirements-dev.txt | $(BIN)/python
	@echo 'Installing what development needs into $(VENV): torch and more, several GB ...'
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.installed-app

WEB_SOURCES := web/package.json web/package-lock.json web/vendor.js

web/vendor/fflate.js: $(WEB_SOURCES)
	@if ! command -v npm >/dev/null; then echo 'No npm here: $(NO_WEB). On Debian and Ubuntu: sudo apt install nodejs npm'; \
		else (cd web && npm ci --omit=dev && node vendor.js && touch vendor/fflate.js) || echo 'npm failed: $(NO_WEB)'; fi

# The same, with what tests and checks need on top.
web-dev: web/node_modules/.installed-dev

web/node_modules/.installed-dev: $(WEB_SOURCES)
	@if ! command -v npm >/dev/null; then echo 'No npm here: $(NO_WEB). On Debian and Ubuntu: sudo apt install nodejs npm'; \
		else (cd web && npm ci && node vendor.js && touch vendor/fflate.js node_modules/.installed-dev) \
		|| echo 'npm failed: $(NO_WEB)'; fi
