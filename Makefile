# Two commands: "make demo" shows what brainsim does, "make test" says whether it is right.
# Works with GNU make 3.81 (macOS) and later; every recipe is plain POSIX shell.

VENV := .venv
BIN := $(VENV)/bin
# Where Brian2 keeps compiled code and matplotlib its fonts is left to them.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-all science docs bench bench-page lint clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      a first raster, then the main job: digits learned without labels"
	@echo "make test      ruff, mypy and the tests: at most 12 minutes on 2 cores"
	@echo "make test-all  the same with the slow tests"
	@echo "make test-python3.13  the tests that compile nothing, on another Python (3.12, 3.13)"
	@echo "make science   published numbers of the learning rules, again: hours; goes on where it was stopped"
	@echo "make docs      docs/library: a page for each folder of the library, with a picture of each part"
	@echo "make bench     speed, side by side; ROWS=cuba,brunel ROUNDS=3 TYPES=float64 PEERS=nest chooses"
	@echo "make clean     remove the environment, caches and builds; runs/ is kept"

# The first Python of 3.11 or later on the path; PYTHON=... chooses another.
$(BIN)/python:
	@found=""; \
	for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	  if "$$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found="$$python"; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "brainsim needs Python 3.11 or later, and none was found (tried python3.11 to 3.13, python3, python)." >&2; \
	  echo "Install one (python.org, your package manager, conda), or say: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	  exit 3; \
	fi; \
	echo "Creating $(VENV) with $$($$found --version) ..."; \
	"$$found" -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "Creating the environment failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 3; }

# Stamps: installing again only when the metadata changed.
$(VENV)/.installed: $(BIN)/python setup.cfg pyproject.toml
	@echo "Installing brainsim and its dependencies ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test: $(BIN)/python setup.cfg pyproject.toml
	@echo "Installing brainsim with its test tools ..."
	@$(PIP_INSTALL) --editable ".[test]"
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@echo
	@echo "1. A first raster: 500 cells of cortex for half a second, on numpy, nothing compiled."
	@$(BIN)/brainsim run cortex_ei --backend numpy --raster
	@echo
	@echo "2. The main job: one layer learns handwritten digits without labels."
	@$(BIN)/brainsim run digits_vdsp

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: lint
	$(BIN)/python -m pytest -n 2

# The numpy tests on another Python, in an environment of its own: make test-python3.13
test-python3.%:
	@python3.$* -c "" >/dev/null 2>&1 || { echo "python3.$* was not found." >&2; exit 3; }
	@test -x .venv-3.$*/bin/python || python3.$* -m venv .venv-3.$*
	@.venv-3.$*/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	.venv-3.$*/bin/python -m pytest -n 2 -m "not slow and not compiled"

# Full data sets are looked for where BRAINSIM_DATA says. ROWS="vdsp_100 ..." runs some of science/rows.yaml.
science: $(VENV)/.installed-test
	$(BIN)/python -m science $(ROWS)
	$(if $(ROWS),,$(BIN)/python -m science.learning && $(BIN)/python -m science.patches)

docs: $(VENV)/.installed-test
	$(BIN)/python -m brainsim.portrait.library docs/library

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks $(if $(PARTS),--parts $(PARTS)) $(if $(ROWS),--rows $(ROWS)) \
	  $(if $(TYPES),--types $(TYPES)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PEERS),--peers $(PEERS)) $(BENCH)

# docs/performance.md and its plots, from what "make bench" measured.
bench-page: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks.page runs/benchmarks.json

clean:
	rm -rf $(VENV) .venv-3.* build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
