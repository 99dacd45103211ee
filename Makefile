# The commands of a developer, and of someone who wants to see it run. Needs Python 3.11 or later with venv.
#   make demo               train on the sample data and watch it in the browser
#   make demo HEADLESS=1    the same without the dashboard; fails if a diagnostic failed
#   make test               the test suite, three at a time (WORKERS=0: in one process)      make lint    style
#   make mutations          break the lines that carry most, one at a time, and see tests fail (ONLY="host seal": a part)
#   make bench              measure against peers and floors, write benchmarks/RESULTS.md (ONLY="training probe": a part)
#   make audit              known vulnerabilities of the pinned packages, as PyPI lists them
#   make scenes             films of the newest run, drawn with Manim
#   make demo TORCH_INDEX=https://...   take torch from another package index (a CUDA build, say)

.DELETE_ON_ERROR:
.PHONY: demo test soak mutations lint audit bench scenes clean

VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell grep -m1 '^torch==' constraints.txt)
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
RUNS ?= runs
CONFIG ?= configs/concat.yaml
PORT ?= 8050
WORKERS ?= 3
ARGS ?=
# Benchmarks, or mutations, to run; all of them when none is named.
ONLY ?=
# Manim's pycairo and manimpango are built from source, against these; Debian's own Python also wants python3-dev.
CAIRO_PACKAGES := libcairo2-dev libpango1.0-dev pkg-config build-essential
CAIRO := $(shell pkg-config --exists cairo pangocairo 2>/dev/null && echo there)
NO_CAIRO := Manim needs Cairo and Pango to be built; on Debian: apt-get install $(CAIRO_PACKAGES)
comma := ,

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.14 with venv was found; name one: make demo PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt $(VENV)/.torch
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.torch
	@$(if $(CAIRO),,echo "scenes will not be tested. $(NO_CAIRO)")
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev$(if $(CAIRO),$(comma)scenes)]'
	@touch $@ $(VENV)/.demo $(if $(CAIRO),$(VENV)/.scenes)

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	@touch $@

$(VENV)/.scenes: pyproject.toml constraints.txt $(VENV)/.torch
	@$(if $(CAIRO),,echo "$(NO_CAIRO)"; exit 1)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[scenes]'
	@touch $@ $(VENV)/.demo

ifdef HEADLESS
demo: $(VENV)/.demo
	$(BIN)/repviz fit --config $(CONFIG) --runs-dir $(RUNS) $(ARGS)
	$(BIN)/repviz verify --runs-dir $(RUNS)
else
demo: $(VENV)/.demo
	@$(BIN)/repviz dashboard --runs-dir $(RUNS) --port $(PORT) & page=$$!; \
	trap 'kill $$page 2>/dev/null' EXIT INT TERM; \
	$(BIN)/repviz fit --config $(CONFIG) --runs-dir $(RUNS) $(ARGS) && \
	echo "training has ended; the dashboard stays at http://127.0.0.1:$(PORT) until you press Ctrl-C" && wait $$page
endif

# Two pools of threads on two cores slow each other tenfold: one thread for each test.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# Every test, also those that take long beside one like it, and the promises of docs/trust.md as often as they are made
# there, none left out for want of a tool; hours.
soak: $(VENV)/.dev
	REPVIZ_SOAK=1 REPVIZ_REQUIRE=chromium,dask$(if $(CAIRO),$(comma)scenes) OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(ARGS)

# In a copy of the tree; a quarter of an hour.
mutations: $(VENV)/.dev
	$(BIN)/python -m tests.mutations $(ONLY)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Fails as well where PyPI gives no answer.
audit: | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

scenes: $(VENV)/.scenes
	$(BIN)/repviz scenes --runs-dir $(RUNS) $(ARGS)

# RESULTS.md from benchmarks/; hours. Alone on the machine, else the figures say little.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.report $(ONLY) $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info
