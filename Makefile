# Every target makes and fills the environment it needs, with nothing but a Python 3.11 to 3.13.
# make PYTHON=/path/to/python3.12  another Python        make VENV=DIR    another environment
# make test ARGS="-k pooling"      more for pytest       make test TORCH=1  with PyTorch, 0: without

PYTHON ?= python3
VENV ?= .venv
VENV_IO ?= .venv-io
VENV_BEAM ?= .venv-beam
VENV_JAX ?= .venv-jax
VENV_CLUSTER ?= .venv-cluster
ARGS ?=
# Tests of one file share what they set up, so a file stays with one process; tests/conftest.py
# says which files begin.
JOBS = -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Hundreds of processes import TensorFlow and PyTorch here; without bytecode each would compile them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow test-gpu test-jax test-io test-beam test-cluster lint docs bench clean clean-all python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: python ## the whole way, from speech to an answer over REST, in a few minutes
	@$(PYTHON) scripts/environment.py quickstart --venv "$(VENV)"
	$(VENV)/bin/zoo quickstart --out quickstart

# Types are checked beside the first tests: mypy takes one core, for some twenty seconds at first.
test: python ## check style and types, run the tests, which build the site too
	@$(PYTHON) scripts/environment.py test --venv "$(VENV)"
	$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m mypy & types=$$!; \
	$(VENV)/bin/python -m pytest $(JOBS) -m "not slow and not gpu" $(ARGS); tests=$$?; \
	wait $$types || { echo "make test: mypy found errors; make lint shows them" >&2; exit 1; }; \
	exit $$tests

test-slow: python ## the tests that take minutes
	@$(PYTHON) scripts/environment.py test --venv "$(VENV)"
	$(VENV)/bin/python -m pytest -m "slow and not gpu" $(ARGS)

test-gpu: python ## the tests that need a GPU
	@$(PYTHON) scripts/environment.py test --venv "$(VENV)"
	$(VENV)/bin/python -m pytest -m gpu $(ARGS)

# Whatever does not need TensorFlow by what it does: `make test` runs the rest.
JAX_TESTS = tests/jax tests/test_extras.py tests/layers tests/data/sets/test_preparation.py

test-jax: python ## JAX without TensorFlow, as a GPU machine has it, in an environment of its own (.venv-jax)
	@$(PYTHON) scripts/environment.py jax --venv "$(VENV_JAX)"
	KERAS_BACKEND=jax $(VENV_JAX)/bin/python -m pytest $(JOBS) $(JAX_TESTS) \
	  -m "not slow and not gpu and not tensorflow and not torch" $(ARGS)

test-io: python ## tensorflow-io and the oldest TensorFlow, in an environment of their own (.venv-io)
	@$(PYTHON) scripts/environment.py io --venv "$(VENV_IO)"
	$(VENV_IO)/bin/python -m pytest tests/io -m "not slow and not gpu" $(ARGS)

test-beam: python ## preparation by Apache Beam's local runner, in an environment of its own (.venv-beam)
	@$(PYTHON) scripts/environment.py beam --venv "$(VENV_BEAM)"
	$(VENV_BEAM)/bin/python -m pytest tests/data/sets/test_beam.py -m "not slow and not gpu" $(ARGS)

test-cluster: python ## several machines: Dask's workers, and two network namespaces, which take root, in an environment of their own (.venv-cluster)
	@$(PYTHON) scripts/environment.py cluster --venv "$(VENV_CLUSTER)"
	$(VENV_CLUSTER)/bin/python -m pytest tests/cluster -m "not slow and not gpu" $(ARGS)

lint: python ## check style and types
	@$(PYTHON) scripts/environment.py test --venv "$(VENV)"
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m mypy

docs: python ## build the site of documentation, tutorials included, into build/site
	@$(PYTHON) scripts/environment.py docs --venv "$(VENV)"
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict

bench: python ## measure speed beside other libraries (takes PyTorch and librosa)
	@$(PYTHON) scripts/environment.py bench --venv "$(VENV)"
	$(VENV)/bin/python -m benchmarks $(ARGS)

clean: ## remove caches, builds and the quickstart's output; runs/ stays
	rm -rf quickstart build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find zoo tuning export serving tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} +

clean-all: clean ## remove the environments too
	rm -rf .venv .venv-jax .venv-io .venv-beam .venv-cluster .venv*-old-*

python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "$(PYTHON) is not on the PATH: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path" >&2; \
	  exit 2; }
