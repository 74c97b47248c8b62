# Everything a fresh clone needs. Each target does its own set-up: a .venv with the pinned install, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers keep two cores busy; each test process uses one thread (tests/conftest.py).
WORKERS ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install test test-slow demo lint samples bundles wheel clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with the pinned packages and avpipe itself (other targets do this by themselves)

demo: $(STAMP) ## label data/samples, then train a small model on a corpus made by a script
	@$(BIN)/python scripts/demo.py

test: lint ## lint, then the fast tests (under 5 minutes on two cores)
	@$(BIN)/pytest -n $(WORKERS) -m "not slow and not corpora"

test-slow: $(STAMP) ## the rest; with AVPIPE_CORPORA set, also the tests on real recordings
	@$(BIN)/pytest -n $(WORKERS) -m "slow or corpora"

lint: $(STAMP) ## ruff and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

samples: $(STAMP) ## make data/samples anew (needs espeak-ng)
	@$(BIN)/python scripts/make_samples.py

bundles: $(STAMP) ## train the shipped bundles anew (needs AVPIPE_CORPORA; hours)
	@$(BIN)/python scripts/make_sentiment_corpus.py runs/films
	@for recipe in digits digit_strings emotion speaker words_pl denoise scenes action_fights \
			"sentiment_demo corpus.path=runs/films/manifest.csv device.precision=bf16-mixed"; do \
		name=$${recipe%% *} && $(BIN)/avpipe train experiment=$$recipe run_dir=runs/$$name && \
		rm -rf avpipe/bundles/$$name && cp -r runs/$$name/bundle avpipe/bundles/$$name || exit 1; \
	done

wheel: $(STAMP) ## build dist/avpipe-*.whl
	@$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

clean: ## remove what make made, .venv included
	rm -rf $(VENV) build dist outputs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find avpipe scripts tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'avpipe needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing the pinned packages into $(VENV) (once: a minute or two, about 5 GB) ...'
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,explain,lm,onnx,speaker,subwords,sweeps,timm,vad]'
	@touch $@
