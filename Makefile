# Every target sets up its own virtual environment first; nothing but Python 3.11+ and a package index is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup study test test-slow lint format docs clean bench size bias figures

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $(READY)

study: $(READY)  ## the January 2025 study, offline: tables, figures and summary in out/deepseek_2025
	$(BIN)/python scripts/deepseek_2025.py

test: $(READY)  ## all tests but the slow ones, with coverage
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

test-slow: $(READY)  ## the long simulations
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

figures: $(READY)  ## docs/figures of the README and the walk-through
	$(BIN)/python scripts/docs_figures.py
	$(BIN)/python scripts/models_page.py

docs: $(READY)  ## the documentation as pages, in site/; a broken link or reference stops it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) site out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

bench: $(READY)  ## benchmarks/RESULTS.md and plots from one run, under 20 minutes; leave the machine alone meanwhile
	$(BIN)/python benchmarks/run.py

size: $(READY)  ## docs/size_and_power.md and its figures: 5,000 simulated studies for each rate, about ten minutes
	$(BIN)/python scripts/size_and_power.py

bias: $(READY)  ## docs/model_bias.md, its numbers and figure: 600 simulated panels, about nine minutes
	$(BIN)/python scripts/model_bias.py
