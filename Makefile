# `make demo` and `make test` are all that a newcomer needs; each sets itself up.
.PHONY: help demo test check bench clean

PYTHON = .venv/bin/python
DATA ?=

# Tests start hundreds of processes: compiled once is enough, whatever the machine says.
unexport PYTHONDONTWRITEBYTECODE

# Two workers on two cores: threads that wait in linear algebra for each other take the other worker's core.
test check: export OPENBLAS_NUM_THREADS = 1

# Fast tests sync thousands of small files: in memory, where a gigabyte of it may hold files.
MEMORY := $(shell test "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 1000000 2>/dev/null && echo /dev/shm)
check: export TMPDIR := $(or $(MEMORY),$(TMPDIR),/tmp)

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## the whole loop on a living shop (DATA=DIR: on a workspace of real data; SERVE=0: stop at the end)
	@scripts/setup run
	@$(PYTHON) -m segue demo $(if $(DATA),--data $(DATA)) $(if $(filter 0,$(SERVE)),--no-serve)

test: ## set-up and all tests
	@scripts/setup test
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: ## a developer's loop: format, lint, types, import arrows, fast tests; under a minute
	@scripts/setup test
	$(PYTHON) -m ruff format --check -q src tests benchmarks examples
	$(PYTHON) -m ruff check -q src tests benchmarks examples
	$(PYTHON) -m mypy
	SEGUE_PROFILE=quick $(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -o tmp_path_retention_count=1 -m "not slow and not service and not browser and not data"

bench: ## speed, with the peer beside it in the same run
	@scripts/setup bench
	$(PYTHON) -m benchmarks

clean: ## remove what set-up, tests and demo made
	rm -rf .venv .cache demo build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
