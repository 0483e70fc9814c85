# Short names for `python -m sandbox` and the checks; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
REQUIREMENTS := requirements-dev.txt requirements.txt constraints.txt ops/requirements.txt sandbox/requirements.txt app/requirements.txt

# Take STACK only from the command line, never from the environment: it decides what is destroyed.
TYPED_STACK := $(if $(filter command,$(firstword $(origin STACK))),$(STACK))

.DEFAULT_GOAL := help
.PHONY: help up down status preview test test-fast test-e2e crashes check pr-comment doctor open toolchain

help:  ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

up: $(VENV)/.installed  ## start the embedded cloud and deploy the program on it; with DRIVER=eks, on an EKS cluster
	@$(if $(TYPED_STACK),$(error `make up` deploys on the embedded cloud only. For a stack of your own: pulumi up --refresh --stack $(TYPED_STACK)))
	@$(VENV)/bin/python -m sandbox up $(if $(DRIVER),--driver $(DRIVER))

preview: $(VENV)/.installed  ## show what `up` would do
	@$(VENV)/bin/python -m sandbox preview $(if $(DRIVER),--driver $(DRIVER))

status: $(VENV)/.installed  ## show what runs, where, and what was restarted
	@$(VENV)/bin/python -m sandbox status

down: $(VENV)/.installed  ## end the embedded cloud, except caches and Debian packages; with STACK=, destroy that stack and list what is left
	@$(if $(TYPED_STACK),$(VENV)/bin/python -m ops down --stack $(TYPED_STACK),$(VENV)/bin/python -m sandbox down)

doctor: $(VENV)/.installed  ## check what STACK needs, and print the command that fixes each problem
	@$(VENV)/bin/python -m ops doctor --stack $(or $(STACK),dev)

open: $(VENV)/.installed  ## open the site of STACK in the browser
	@$(VENV)/bin/python -m ops open --stack $(or $(STACK),local)


pr-comment: $(VENV)/.installed  ## print the comment a pull request would get, from a preview on the embedded cloud
	@$(VENV)/bin/python -m sandbox start >&2
	@. .sandbox/env && $(VENV)/bin/python -m ops preview --stack local

toolchain: $(VENV)/.installed  ## download or build the missing parts of the engine, Kubernetes and Debian packages
	@$(VENV)/bin/python -m sandbox toolchain

test-fast: $(VENV)/.installed  ## run the fast tests: no network, no root
	@$(VENV)/bin/python -m pytest -n auto tests/fast

test-e2e: $(VENV)/.installed toolchain  ## run the end-to-end suite; with DRIVER=eks, on an EKS cluster
	@$(VENV)/bin/python -m pytest tests/e2e $(if $(DRIVER),--driver $(DRIVER))

test: $(VENV)/.installed check test-fast toolchain  ## run the checks and every test; the end-to-end suite comes last
	@$(VENV)/bin/python -m pytest -n auto app tests/ops
	@$(VENV)/bin/python -m pytest -n auto --dist loadscope --no-loadscope-reorder \
		tests/crashes tests/loopback tests/kops tests/conformance tests/eks
	@$(VENV)/bin/python -m pytest tests/e2e

crashes: $(VENV)/.installed toolchain  ## kill `up` at each request that changes anything, one by one; with DRIVER=eks, an EKS cluster's too
	@$(VENV)/bin/python -m tests.crashes $(if $(DRIVER),--stack local-$(DRIVER)) $(if $(REQUEST),--request "$(REQUEST)")

check: $(VENV)/.installed  ## run the formatter, the linters, the spelling and type checkers
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/codespell
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy examples
	@test -z "$$(gofmt -l sandbox/toolchain/go | tee /dev/stderr)"
	@cd sandbox/toolchain/go/actionlint && go tool actionlint $(CURDIR)/.github/workflows/*.yml

$(VENV)/.installed: $(REQUIREMENTS)
	@echo "installing the Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
