# Everything starts from nothing but python3 and make: the first target that needs an environment builds it.
# ARGS goes to pytest: make test-oldest ARGS="tests/test_blocks.py -k gfm"
PYTHON ?= python3
BIN := .venv/bin
# In CI the tests count the lines that they reach, which takes half as long again, and `make check` holds them to a floor.
MEASURE := $(if $(CI),coverage run -m)

.PHONY: demo test test-oldest test-newest check docs docs-test clean

demo: .venv/ready  ## train a small GMG on embedded rain and forecast it
	$(BIN)/python recipes/gmg_cikm.py

test: .venv/ready  ## the test suite
	$(BIN)/python -m $(MEASURE) pytest $(ARGS)

test-oldest: .venv-oldest/ready  ## the same on the lowest versions that pyproject.toml claims, which want Python 3.11 to 3.13
	.venv-oldest/bin/python -m pytest $(ARGS)

test-newest: .venv-newest/made  ## the same on the newest versions of all packages, looked up anew each time
	PIP_CONSTRAINT=/dev/null .venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[test]'
	.venv-newest/bin/python -m pytest $(ARGS)

check: .venv/ready  ## lint, types, docstrings, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_docstrings.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(if $(CI),$(BIN)/coverage report)

docs: .venv/ready  ## browse the docs at http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

docs-test: .venv/ready  ## every page of the built site in a headless Chromium, which CONTRIBUTING.md says how to install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python -m pytest -m site tests/test_site.py $(ARGS)

.venv/ready: pyproject.toml .venv/made
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

# PIP_CONSTRAINT takes the place of what a local pip configuration caps, here and above.
.venv-oldest/ready: pyproject.toml oldest.txt .venv-oldest/made
	PIP_CONSTRAINT=oldest.txt .venv-oldest/bin/python -m pip install --quiet -e '.[test]'
	touch $@

%/made:
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --upgrade pip
	touch $@

clean:
	rm -rf .venv .venv-oldest .venv-newest site build *.egg-info
