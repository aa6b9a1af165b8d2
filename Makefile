# Everything starts from nothing but python3 and make: the first target that needs the environment builds it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check docs clean

demo: .venv/ready  ## train a small GMG on embedded rain and forecast it
	$(BIN)/python recipes/gmg_cikm.py

test: .venv/ready  ## the test suite
	$(BIN)/python -m pytest

check: .venv/ready  ## lint, types, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs: .venv/ready  ## browse the docs at http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf .venv site build *.egg-info
