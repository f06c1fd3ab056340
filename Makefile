# Every target sets up all that it needs by itself, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
export PIP_NO_INPUT = 1

.PHONY: demo fuzz test test-all test-gpu lint docs bench clean

# More packages for the tests, for example "torch transformers": what is not installed is not tested.
WITH ?=

demo: $(VENV)/.demo
	$(BIN)/python examples/us_macro_data.py demo/us_macro.csv
	$(BIN)/causalkit discover demo/us_macro.csv --context date --out demo
	@echo "look at demo/graph.svg and demo/driving_forces.png"

# One thread for each of the two processes: more of them wait for one another, and the tests take twice as long.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

test: $(VENV)/.test
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2

test-all: $(VENV)/.test
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -m "not gpu and not network" --cov --cov-report=term

# On a machine with a CUDA device: the tests that compare CuPy with NumPy, then all independence tests and searches on CuPy.
# Broken files and texts, for as long as FUZZ says (a hundred is some three minutes).
FUZZ ?= 100
fuzz: $(VENV)/.test
	CAUSALKIT_FUZZ=$(FUZZ) $(ONE_THREAD) $(BIN)/python -m pytest -n 2 -k broken tests/graph

test-gpu: $(VENV)/.test
	$(PIP) --editable '.[gpu]'
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m pytest tests/independence tests/discovery --array-library cupy

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.test
	$(BIN)/python benchmarks/graphs.py
	$(BIN)/python benchmarks/kernel_tests.py

clean:
	rm -rf $(VENV) demo docs/_build docs/auto_examples docs/api/generated

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "causalkit needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing: apt install python3-venv"; exit 1; }

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[examples]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]' $(WITH)
	@touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.lint: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]' ruff mypy import-linter pandas-stubs
	@touch $@
