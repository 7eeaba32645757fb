# `make demo` and `make test` need only Python (3.11 or later), make and a package index.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Each worker of the tests takes one core; the libraries' own threads would only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: help venv demo test test-all crash-test fault-test check format docs bench bench-reading bench-streaming bench-preparing bench-copies bench-hostile bench-plan bench-imprint bench-methods bench-seeking bench-peers bench-writing bench-alarms bench-cluster bench-base bench-base-sweep fuzz clean
.DEFAULT_GOAL := help

help:  ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 24

venv: $(STAMP)  ## The environment in .venv; made anew only when pyproject.toml or constraints.txt change

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: Quire needs Python 3.11 or later, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)" >&2; \
	  echo "try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "error: '$(PYTHON) -m venv' failed, see above" >&2; \
	  echo "try: install your system's package for Python environments (often called python3-venv)" >&2; exit 2; }
	@echo "Installing Quire and its libraries into $(VENV): torch is large, so the first time takes some minutes."
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: $(STAMP)  ## Read a novella, train on it, judge the voice, write with it: about a minute
	@$(BIN)/python examples/demo.py

test: $(STAMP)  ## The tests: under ten minutes on two cores
	$(PYTEST)

test-all: $(STAMP)  ## And the slow ones: under thirty minutes
	$(PYTEST) -m "slow or not slow"

KILLS ?= 40

crash-test: $(STAMP)  ## End runs at random moments and in every phase, resume, compare every byte (KILLS=40)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.crash --kills $(KILLS)

FAULTS ?= 8

fault-test: $(STAMP)  ## Disks that crash, fill up, fail at any call, flip bits; the same bytes in the end (FAULTS=8)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.faults --count $(FAULTS)

check: $(STAMP)  ## Style, the lines between the rooms, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(STAMP)  ## Put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## Write docs/cli.md and docs/settings.md from the program itself
	$(BIN)/python -m quire.cli.reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md
	$(BIN)/python -m quire.recipe.reference > docs/settings.md.new && mv docs/settings.md.new docs/settings.md

bench: $(STAMP)  ## How fast this machine reads, trains and writes, into docs/performance.md: under half an hour (ONLY='training/1B/*')
	@set -f; $(BIN)/python -m benchmarks.speed $(if $(ONLY),--only $(ONLY))

MAKERS := import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("fpdf", "reportlab", "typst", "weasyprint"))))

bench-reading: $(STAMP)  ## How well and how fast books are read, against their true text: under two minutes
	@$(BIN)/python -c '$(MAKERS)' || $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev,bench]"
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.reading

ROWS ?= 200000

bench-streaming: $(STAMP)  ## A corpus row by row: rows a second, memory from first to last (ROWS=2000000)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.streaming --rows $(ROWS)

WINDOWS ?= 10000

bench-preparing: $(STAMP)  ## A corpus into windows: tokens a second, memory as it grows tenfold: some minutes (WINDOWS=10000)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.preparing --windows $(WINDOWS)

CORPUS ?= ../shared/data/base_corpus

bench-copies: $(STAMP)  ## How well text that stands twice is found, by planted copies (CORPUS=folder of tables)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.copies $(CORPUS) --books 6 --trials 8

FILES ?= $(wildcard ../shared/data/hostile)

bench-hostile: $(STAMP)  ## Read files made to do harm, and those under FILES: some minutes (FILES=folders)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.hostile --made $(FILES)

bench-plan: $(STAMP)  ## What a plan says of memory and time against what is measured: some minutes
	$(BIN)/python -m benchmarks.plan

bench-imprint: $(STAMP)  ## A voice for each position of the imprint dial, and where it ended: some minutes
	$(BIN)/python -m benchmarks.imprint

bench-methods: $(STAMP)  ## Few bits and thrifty optimisers against the plain way, by held-out loss: some minutes
	$(BIN)/python -m benchmarks.methods

bench-seeking: $(STAMP)  ## How soon a resume is at 99 % of an epoch of ten million rows
	$(BIN)/python -m benchmarks.seeking

SHAPE ?= 135M

bench-peers: $(STAMP)  ## Tokens a second of other trainers beside Quire's, each in its own environment (SHAPE=1B)
	$(BIN)/python -m benchmarks.peers --shape $(SHAPE)

PRECISION ?= bf16
TEXTS ?= 1

bench-writing: $(STAMP)  ## Tokens a second written by Quire, llama.cpp and transformers (SHAPE=1B PRECISION=int8 TEXTS=8)
	$(BIN)/python -m benchmarks.peers.writing --shape $(SHAPE) --precision $(PRECISION) --texts $(TEXTS)

SEEDS ?= 3

bench-alarms: $(STAMP)  ## Do the live warnings speak when they should, and only then (SEEDS=3)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.alarms --seeds $(SEEDS)

bench-cluster: $(STAMP)  ## One, two and four processes: curves, kills, speed: some minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.cluster

RUN ?= runs/embedded-base

bench-base-sweep: $(STAMP)  ## Small pretrainings beside one another, by which the embedded base's recipe was chosen (CORPUS=FOLDER)
	$(BIN)/python -m benchmarks.base.sweep $(CORPUS) && $(BIN)/python -m benchmarks.base.sweep --docs

bench-base: $(STAMP)  ## What the embedded base is worth, beside byte models and packers, into its docs (RUN=runs/NAME)
	$(BIN)/python -m benchmarks.base --run $(RUN)

SECONDS ?= 60

fuzz: $(STAMP)  ## Change small books at random until a reader breaks; guided where atheris is installed (SECONDS=60 each)
	OMP_NUM_THREADS=1 $(BIN)/python -m fuzz.run --seconds $(SECONDS)

clean:  ## Remove what was made; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './runs/*' -prune -exec rm -rf {} +
