# Everything works on a fresh machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint .ci/constraints.txt
SOURCES := pyproject.toml .ci/constraints.txt

.PHONY: search test check coverage format docs fault-test clean

## search: run the main job on built-in data (again: go on with it, or show its end)
search: $(VENV)/run
	$(BIN)/hpsearch run configs/digits.yaml --resume

## test: everything that gates a change
test: check
	$(BIN)/python -m pytest

## check: house style, types and import directions
check: $(VENV)/dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_architecture.py

## coverage: which branches the tests take (twice as long as they are)
coverage: $(VENV)/dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

## format: bring the code into the house style
format: $(VENV)/dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

## docs: docs/api.md from the docstrings
docs: $(VENV)/dev
	$(BIN)/python docs/make_api.py

## fault-test: the long trials that break things on purpose
fault-test: $(VENV)/dev
	$(PIP) --editable '.[fuzz]' || echo "Atheris can't be had here: what it would guide is skipped"
	$(BIN)/python -m pytest -m "slow or not slow" tests/faults tests/run/test_signals.py \
		tests/test_end_to_end.py

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/run: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/dev: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/run
