# Two commands do everything: `make demo` and `make test`. Each installs what it needs first.
PYTHON ?= python3
VENV   := .venv
REPORT ?= report

.PHONY: demo test benchmarks setup clean
.DELETE_ON_ERROR:

demo: setup
	$(VENV)/bin/testbed demo --report $(REPORT)

test: setup
	$(VENV)/bin/pytest $(PYTEST_ARGS)

# Minutes each, on a machine that does nothing else: `make benchmarks BENCHMARKS=tests/benchmarks/bench_startup.py` runs one.
BENCHMARKS ?= tests/benchmarks/bench_*.py
benchmarks: setup
	$(VENV)/bin/pytest -s $(BENCHMARKS)

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml setup.sh
	PYTHON=$(PYTHON) sh setup.sh $(VENV)
	touch $@

# Containers, volumes, networks, images and the virtual environment; packages and the container engine stay.
clean:
	-$(VENV)/bin/testbed down --all
	-$(VENV)/bin/testbed images remove
	rm -rf $(VENV) $(REPORT) .pytest_cache .hypothesis .benchmarks
