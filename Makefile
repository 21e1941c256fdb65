# Two commands for a fresh machine: `make demo` and `make test`. Both set up .venv first; nothing else is needed but Python.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(p)),$(p))))
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
JOBS ?= 2
# Where the tests are that are marked ``processors``: what must hold on every processor.
PROCESSORS := tests/ops/test_conformance.py tests/ops/test_boundaries.py tests/ops/test_gradients.py tests/layers \
  tests/backend/test_onnx.py tests/training/test_checkpoint.py
PYTEST := -n $(JOBS) --dist worksteal --max-worker-restart 0

export TF_CPP_MIN_LOG_LEVEL := 3
# Every worker, and every program that a test starts, would compile the whole package and all tests again.
unexport PYTHONDONTWRITEBYTECODE
# oneDNN computes elsewhere than TensorFlow itself, and which of them is used depends on the processor. Tests run with
# it; `make processors` has what must hold on every processor without it.
fast seams test-slow long: export TF_ENABLE_ONEDNN_OPTS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test lint types floors fast seams test-slow long processors installs site constraints clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(INSTALLED) ## make .venv with every version pinned

demo: setup ## the table of LeNet-5, then its training on digits
	$(BIN)/archspec table lenet5
	$(BIN)/archspec train lenet5 --data digits
	@echo; echo "Curves, tables and the graph: $(BIN)/tensorboard --logdir runs"

test: setup lint types floors fast ## lint, types, floors and every fast test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

floors: setup
	$(BIN)/lint-imports --no-cache

fast: setup ## every fast test, in three minutes; ROOM=data those of one room
	$(BIN)/pytest $(PYTEST) -m "not slow" -o faulthandler_timeout=300 --durations 15 $(if $(ROOM),tests/$(ROOM))

seams: setup ## what archspec relies on in Keras and TensorFlow beyond what they document
	$(BIN)/pytest -q tests/backend/test_seams.py

test-slow: setup ## tests that build large networks or train, and further cases of what fast tests show
	$(BIN)/pytest $(PYTEST) -m "slow and not long" --durations 0 --durations-min 5

long: setup ## more seeds, long trainings, soaks, larger counts: hours, and no part of CI
	ARCHSPEC_SOAK=$${ARCHSPEC_SOAK:-5} $(BIN)/pytest $(PYTEST) -m long --durations 0 --durations-min 5

processors: setup ## every row of every op, grids, gradients and layers that convolve, again without oneDNN
	TF_ENABLE_ONEDNN_OPTS=0 $(BIN)/pytest -q $(PYTEST) -m "processors and not long" --durations 10 $(PROCESSORS)

installs: setup ## wheel and sdist, each install in a fresh venv
	$(BIN)/python tools/check_installs.py

site: setup ## the documentation as HTML, in build/site
	$(BIN)/mkdocs build --strict

constraints: setup ## write constraints.txt from what .venv has
	{ grep '^#' constraints.txt; $(BIN)/pip freeze --all --exclude-editable --exclude setuptools --exclude torch; } > constraints.new
	mv constraints.new constraints.txt

clean: ## remove .venv and what tools left behind
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache

# Build tools come first and pinned, so that building the package takes nothing from elsewhere.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt pip hatchling editables
	$(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation -e '.[tensorflow]' --group dev
	touch $@
