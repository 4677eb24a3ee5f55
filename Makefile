# Every target works from a clean clone without arguments. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help bootstrap
python := .venv/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bootstrap: ## make the virtual environments (Python 3.11-3.13; nothing else is needed)
	@sh local/bootstrap.sh
