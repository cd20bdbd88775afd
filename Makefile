# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
# Two commands on a fresh machine: `make demo` and `make test`. Everything lands in .venv and build/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# What pip installs depends on these; what the images are made of is looked at by the toolchain itself.
SOURCES := $(shell find firmware guest src/openvmi/abi src/openvmi/rom src/openvmi/toolchain src/openvmi/initrd.py \
	-type f -not -name '*.pyc' 2>/dev/null)

.PHONY: demo test unit images lint bench fuzz qemu bochs clean help
.DEFAULT_GOAL := help

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.images qemu ## boot the bundled guest bare and under the ROM, and compare
	@$(BIN)/openvmi demo

test: $(VENV)/.images qemu bochs ## everything: unit, object and guest tests, linters, types
	@status=0; \
	$(BIN)/python -m pytest -n 3 --dist worksteal tests/unit tests/fuzz || status=1; \
	$(BIN)/python -m pytest tests/command tests/object tests/house tests/guest || status=1; \
	exit $$status

unit: $(STAMP) ## the unit tests but for the long ones: seconds, no QEMU, no compiler
	$(BIN)/python -m pytest -n 2 -m 'not long' tests/unit

lint: $(STAMP) ## format and lint what is here
	$(BIN)/ruff format && $(BIN)/ruff check --fix && $(BIN)/mypy

bench: $(VENV)/.images qemu ## the README's figures for the bundled guest
	$(BIN)/openvmi bench --guest plain,guest --hypervisors none
	$(BIN)/openvmi bench --guest plain-pae,guest-pae --hypervisors none
	$(BIN)/openvmi bench --hypervisors none,declining,native
	$(BIN)/openvmi bench --count userland

SECONDS ?= 60
TARGETS ?=
fuzz: $(STAMP) ## the coverage-guided fuzzer: each parser for SECONDS=60, or some of them: TARGETS="rom kernel"
	$(BIN)/python -m pip --disable-pip-version-check install -q 'atheris>=3,<4'
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

images: $(VENV)/.images ## build firmware and guest

$(VENV)/.images: $(STAMP) $(SOURCES)
	@$(BIN)/python -m openvmi.toolchain
	@touch $@

$(STAMP): pyproject.toml hatch_build.py
	@tools/make-venv $(PYTHON) $(VENV)
	@touch $@

qemu:
	@tools/need-qemu

bochs:
	@tools/need-bochs

clean: ## remove what make made
	rm -rf $(VENV) build dist src/openvmi/images/*.elf src/openvmi/images/*.rom src/openvmi/images/*.bin src/openvmi/images/*.cpio src/openvmi/images/user
