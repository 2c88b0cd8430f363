VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
BENCHMARKS := probe_vs_lm_eval probe_vs_generate roofline scaling latency budgets

.PHONY: demo test check screenshots pages bench clean

demo: $(VENV)/.installed
	$(BIN)/logitscope

test: $(VENV)/.developed
	$(BIN)/python -m pytest

check: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshots: $(VENV)/.developed
	$(BIN)/python -m docs.make_screenshots

pages: $(VENV)/.developed
	$(BIN)/python -m docs.make_pages

bench: $(VENV)/.benched
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name || exit 1; done

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(VENV)/.benched: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
