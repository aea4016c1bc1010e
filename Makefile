# Two commands do everything: `make demo` and `make test`. See README.md.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs release ui tools

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
ARGS ?=

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: ui ## Build everything and start Fettler with a simulated plant (ARGS="--fault NAME --machine M")
	$(CARGO) build --locked --profile quick-release -p fettler
	exec $(TARGET_DIR)/quick-release/fettler demo $(ARGS)

test: ## Everything that must pass before a change lands
	tools/test

check: ## The fast part of `make test`: formatting, lints, types
	tools/check

bench: ui ## Measure: `make bench ARGS="lineprotocol"`; without ARGS it lists what there is
	$(CARGO) build --locked --profile release -p fettler
	exec $(TARGET_DIR)/release/fettler bench $(ARGS)

docs: ## Build the API documentation of all crates
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

release: ui ## Build the one binary as it is shipped
	$(CARGO) build --locked --release -p fettler
	@ls -lh $(TARGET_DIR)/release/fettler

ui: tools/need ## Build the screens that the binary embeds
	tools/need node
	tools/ui-build
