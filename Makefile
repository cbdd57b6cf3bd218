# `make` prints what there is. Everything runs in .venv, made from requirements-dev.lock.
# A Python of 3.11 to 3.14 and make are all it needs: PostgreSQL comes with the environment.
SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
# What `make run` needs is less; where all is installed, it is there too.
RUNS := $(if $(wildcard .venv/.ready),$(READY),.venv/.runs)
WORKERS ?= 2
ARGS ?=

.PHONY: help run test check check-more bench openapi policies migrate fmt clean \
        format lint types imports dead contract suite postgresql-15 pgbouncer image browser foreign generators outage bulk fuzz hostile record wheels

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNS) ## a hospital's referral through all five stages, on a PostgreSQL of its own (PORT=8000)
	@exec $(BIN)/python -m demo

test: suite ## the whole suite, in parallel, on a throwaway PostgreSQL (ARGS="tests/rules -k ...")

check: format lint types imports dead policies contract suite ## all that must hold, from PyPI alone

check-more: postgresql-15 pgbouncer image browser foreign generators outage bulk fuzz hostile record wheels ## what needs other packages, or minutes

bench: $(READY) ## referrals per second beside the floors of this machine
	@exec $(BIN)/python -m bench $(ARGS)

openapi: $(READY) ## write the contract, openapi/openapi.json
	$(BIN)/python -m app openapi

policies: $(READY) ## validate the policy files
	$(BIN)/python -m app check-policies

migrate: $(READY) ## bring the database at DATABASE_URL to this code's schema
	$(BIN)/python -m app migrate

fmt: $(READY) ## format the code, mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and what checks left; the demonstration's database stays (.run)
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `check`. That migrations equal the tables (`alembic check`) is a test of the suite.
format: $(READY)
	$(BIN)/ruff format --check .
lint: $(READY)
	$(BIN)/ruff check .
types: $(READY)
	$(BIN)/mypy --strict app demo
	$(BIN)/mypy --strict --python-version 3.14 app demo
imports: $(READY)
	$(BIN)/lint-imports
dead: $(READY)
	$(BIN)/python .ci/dead.py
	$(BIN)/deptry --no-ansi .
contract: $(READY)
	$(BIN)/python -m app openapi --check
suite: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# The parts of `check-more`.
postgresql-15: $(READY)
	.ci/postgresql-15
pgbouncer: $(READY)
	.ci/marked pgbouncer tests/pgbouncer
image: $(READY)
	.ci/image
browser: $(READY)
	.ci/marked browser tests/browser
foreign: $(READY)
	.ci/marked foreign tests/foreign
generators: $(READY)
	.ci/marked generators tests/generators
outage: $(READY)
	.ci/marked outage tests/delivery
bulk: $(READY)
	.ci/marked bulk tests/directory
# 30,000 requests; FUZZ_REQUESTS=100000 for the long run, FUZZ_SEED=<number> for other ones.
fuzz: $(READY)
	.ci/marked fuzz tests/fuzz
# 3,000 requests; the suite has 400 of them. HOSTILE_REQUESTS=100000 for the long run.
hostile: $(READY)
	@HOSTILE_REQUESTS=$${HOSTILE_REQUESTS:-3000} $(BIN)/python -m pytest tests/journeys/test_hostile.py
# 2,000 accesses; the suite has 300 of them. RECORD_ACCESSES=10000 for the long run, RECORD_SEED=<number> for its kills.
record: $(READY)
	@RECORD_ACCESSES=$${RECORD_ACCESSES:-2000} $(BIN)/python -m pytest tests/faults/test_record_killed.py
wheels: $(READY)
	.ci/wheels

# pip follows the user's own configuration: no index is named here.
$(READY): requirements-dev.lock .ci/environment
	@.ci/environment requirements-dev.lock
	@touch $@
.venv/.runs: requirements-demo.lock .ci/environment
	@.ci/environment requirements-demo.lock
	@touch $@
