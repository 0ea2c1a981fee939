# What can be done here: `make help`.

PRESET ?= quick
PYTHON3 ?= python3
export JUPYTER_PATH := $(CURDIR)/.kernel/share/jupyter$(if $(JUPYTER_PATH),:$(JUPYTER_PATH))

.PHONY: help setup lab run store test test-rust test-kernel

help:
	@echo "make lab                 set up, and open the notebooks in JupyterLab"
	@echo "make test                set up, and run all tests (the notebooks in the smoke preset too)"
	@echo "make run [PRESET=quick]  execute the notebooks into target/notebooks (NB=name for one;"
	@echo "                         PRESET: smoke, quick, full, paper)"
	@echo "make store NB=name       run in the full preset, and keep the outputs in the notebook"
	@echo "make setup               only set up"

setup:
	@$(PYTHON3) tools/setup.py

lab: setup
	.kernel/python -m jupyterlab notebooks $(LAB_ARGS)

run: setup
	@.kernel/python tools/run_notebooks.py --preset $(PRESET) $(if $(NB),--name $(NB))

store: setup
	@.kernel/python tools/run_notebooks.py --preset full --store $(if $(NB),--name $(NB))

test: setup test-rust test-kernel

test-rust:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	cargo test

test-kernel: setup
	.kernel/python -m pytest -q tests/kernel
