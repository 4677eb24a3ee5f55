# Every target works from a clean clone without arguments, and ends what it started. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help bootstrap up down demo test check bench chaos fuzz format
python := .venv/bin/python
# What Python compiled is kept, whatever the surroundings say: half of a short test run would be compiling. Not beside the
# sources, where it would be packed with them.
compiled := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$(CURDIR)/.local/pycache

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bootstrap: ## make the virtual environments (Python 3.11-3.13; nothing else is needed)
	@PYTHON="$(PYTHON)" sh local/bootstrap.sh

up: bootstrap ## start the embedded stack and deploy the template to it
	@$(python) -m local.stack up

down: bootstrap ## stop the embedded stack
	@$(python) -m local.stack down

demo: bootstrap ## run AOPs and workflows to their ends on the embedded stack, and show each state
	@$(python) -m local.demo

check: bootstrap ## formatting, lint, types, template, state machine, fast tests
	@$(compiled) $(python) -m local.check
	@$(compiled) $(python) -m pytest -q -n auto -m "not slow" tests/unit tests/contracts

test: bootstrap ## everything: as check, slow tests too; then integration, workflow, end-to-end, documentation tests and the fault suite in short
	@$(compiled) $(python) -m local.check
	@$(compiled) $(python) -m pytest -q -n auto tests/unit tests/contracts
	@PYTHON="$(PYTHON)" sh local/bootstrap.sh --leap-clients
	@# the tests' own stacks go with them, however they end; one started by `make up` is not touched
	@trap 'for stack in .local/test-stack* .local/chaos-stack; do $(python) -m local.stack down --state-dir $$stack; done' EXIT; trap 'exit 130' INT TERM; \
		$(python) -m local.stack_tests && \
		$(python) -m pytest -q tests/chaos

bench: bootstrap ## print the figures the README quotes, measured here
	@$(python) -m bench

chaos: bootstrap ## break everything at random, and join both sides' books (SEED=N repeats a run)
	@$(python) -m chaos $(if $(SEED),--seed $(SEED))

fuzz: bootstrap ## 10,000 generated requests to both APIs, held to their OpenAPI documents (SEED=N repeats a run)
	@$(compiled) $(python) -m tests.fuzz $(if $(SEED),--seed $(SEED))

format: bootstrap ## put code and imports into the house's form
	$(python) -m ruff check --fix-only --quiet .
	$(python) -m ruff format .
