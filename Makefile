# Every recipe is one thin call; the logic lives in typed Python under tools/ and libs/stack.
PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
PAYBILL := $(VENV)/bin/paybill
SEEDS ?= 200
# Some forty processes start in a test run: without compiled modules beside the sources each compiles them again.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup demo test up down status fmt lint contracts simulate bench bench-pay bench-pages bench-rows bench-idle images lock

help: ## list every target
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

setup: $(VENV)/.stamp ## make .venv with every tool pinned by hash

$(VENV)/.stamp: requirements/bootstrap.txt requirements/dev.txt requirements/local.txt $(wildcard */pyproject.toml */*/pyproject.toml)
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r requirements/dev.txt
	$(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -r requirements/local.txt
	@touch $@

demo: setup ## run the demo week on the embedded stack and tie it out
	$(PAYBILL) demo

test: setup ## lint, types, import rules and every test
	$(PY) tools/check.py

up: setup ## start the embedded stack and the five services
	$(PAYBILL) stack up

down: setup ## stop everything that up or demo started
	$(PAYBILL) stack down

status: setup ## say what runs and where
	$(PAYBILL) stack status

fmt: setup ## format the tree
	$(VENV)/bin/ruff check --fix-only --quiet . ; $(VENV)/bin/ruff format --quiet .

lint: setup ## lint, types and import rules only
	$(PY) tools/check.py --only lint

contracts: setup ## export JSON Schemas and AsyncAPI from the models, and check compatibility
	$(PY) -m paybill_contracts.export

simulate: setup ## run SEEDS simulation seeds (default 200)
	$(PY) -m tests.simulation --seeds $(SEEDS)

bench: setup ## run the real week beside the null pipeline
	$(PY) -m bench.week

bench-pay: setup ## payslips a second: engine, pay run, PDFs, memory
	$(PY) -m bench.pay

bench-pages: setup ## how fast and heavy the pages are, on the data of the last demo
	$(PY) -m bench.pages

bench-rows: setup ## how fast a table of 50,000 rows is searched, sorted and paged
	$(PY) -m bench.rows

bench-idle: setup ## how long an instance takes to start, and what it costs at rest
	$(PY) -m bench.idle

images: setup ## build wheels and the service images
	$(PY) tools/images.py

lock: setup ## recompile the hashed requirements
	$(PY) tools/lock.py
