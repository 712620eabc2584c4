# Two commands do everything: `make demo` and `make test`. Each installs what it needs first.
PYTHON ?= python3
VENV   := .venv
REPORT ?= report
PYTEST := $(VENV)/bin/pytest $(PYTEST_ARGS)
# Two at a time, each with separate brokers and ports; the tests of a file share brokers.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
# The tests start hundreds of commands, each of which would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo check format test containers test-all durations benchmarks faults setup clean
.DELETE_ON_ERROR:

demo: setup
	$(VENV)/bin/testbed demo --report $(REPORT)

# Formatting, lint, types, and the tests that need no container: two minutes. Three at a time, for
# many of them wait: for a process, a timeout or the disk.
check: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PYTEST) -n 3 -m "not containers" --nightly none

format: setup
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# What has to pass before a push, and the nightly tests whose turn it is: twenty minutes.
test: check containers

containers: setup
	$(PYTEST) $(WORKERS) -m "containers or nightly" --nightly share

# Everything, the nightly tests included: as long as it takes.
test-all: check
	$(PYTEST) $(WORKERS) -m "containers or nightly"

# The same, and tests/durations.json is written anew.
durations: setup
	$(PYTEST) --store-durations

# Minutes each, on an idle machine: `make benchmarks BENCHMARKS=tests/benchmarks/bench_startup.py`.
BENCHMARKS ?= tests/benchmarks/bench_*.py
benchmarks: setup
	$(PYTEST) -s --timeout 0 $(BENCHMARKS)

# Faults under confirmed traffic, on every topology: `make faults ROUNDS=100 SEED=7`.
ROUNDS ?= 10
SEED   ?= 1
faults: setup
	rm -f $(REPORT)/faults/*.jsonl
	$(VENV)/bin/testbed campaign run --rounds $(ROUNDS) --seed $(SEED) --folder $(REPORT)/faults

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml setup.sh
	PYTHON=$(PYTHON) sh setup.sh $(VENV)
	touch $@

# Containers, volumes, networks, images and the virtual environment; packages and the container
# engine stay, and so do reports elsewhere: REPORT may be a folder with other files.
clean:
	-$(VENV)/bin/testbed down --all
	-$(VENV)/bin/testbed images remove
	rm -rf $(VENV) report .pytest_cache .hypothesis .benchmarks .mypy_cache .ruff_cache
