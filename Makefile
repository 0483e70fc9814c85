# Short names for `python -m sandbox` and the checks; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
REQUIREMENTS := requirements-dev.txt requirements.txt constraints.txt ops/requirements.txt sandbox/requirements.txt app/requirements.txt

# Where a stack's name decides what is destroyed, one that the shell exports is none: it has to be typed.
TYPED_STACK := $(if $(filter command,$(firstword $(origin STACK))),$(STACK))

.DEFAULT_GOAL := help
.PHONY: help up down status preview test test-fast check pr-comment doctor open toolchain

help:  ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

up: $(VENV)/.installed  ## start the embedded cloud and deploy the program on it; with DRIVER=eks, on a cluster of EKS'
	@$(if $(TYPED_STACK),$(error `make up` is of the embedded cloud. For a stack of yours: pulumi up --stack $(TYPED_STACK)))
	@$(VENV)/bin/python -m sandbox up $(if $(DRIVER),--driver $(DRIVER))

preview: $(VENV)/.installed  ## show what `up` would do
	@$(VENV)/bin/python -m sandbox preview $(if $(DRIVER),--driver $(DRIVER))

status: $(VENV)/.installed  ## what runs, where, and what was healed
	@$(VENV)/bin/python -m sandbox status

down: $(VENV)/.installed  ## end the embedded cloud and remove all but the cache; with STACK=, destroy that stack and audit what is left
	@$(if $(TYPED_STACK),$(VENV)/bin/python -m ops down --stack $(TYPED_STACK),$(VENV)/bin/python -m sandbox down)

doctor: $(VENV)/.installed  ## what STACK needs, what is wrong, and the command that fixes it
	@$(VENV)/bin/python -m ops doctor --stack $(or $(STACK),dev)

open: $(VENV)/.installed  ## the site of STACK in the browser
	@$(VENV)/bin/python -m ops open --stack $(or $(STACK),local)


pr-comment: $(VENV)/.installed  ## the comment that a pull request would get, from a preview on the embedded cloud
	@$(VENV)/bin/python -m sandbox start >&2
	@. .sandbox/env && $(VENV)/bin/python -m ops preview --stack local

toolchain: $(VENV)/.installed  ## the engine, Kubernetes and Debian packages, fetched or built where they are missing
	@$(VENV)/bin/python -m sandbox toolchain

test-fast: $(VENV)/.installed  ## configuration and graph: seconds, no network, no root
	@$(VENV)/bin/python -m pytest -n auto tests/fast

test: $(VENV)/.installed check test-fast toolchain  ## the checks and every test, the end-to-end suite on a real `up` last
	@$(VENV)/bin/python -m pytest -n auto app tests/ops
	@$(VENV)/bin/python -m pytest -n auto --dist loadscope tests/loopback tests/kops tests/conformance
	@$(VENV)/bin/python -m pytest -n auto --dist loadscope tests/eks
	@$(VENV)/bin/python -m pytest tests/e2e

check: $(VENV)/.installed  ## formatter, linter and type checker
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy examples
	@test -z "$$(gofmt -l sandbox/toolchain/go | tee /dev/stderr)"
	@cd sandbox/toolchain/go/actionlint && go tool actionlint $(CURDIR)/.github/workflows/*.yml

$(VENV)/.installed: $(REQUIREMENTS)
	@echo "installing the Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
