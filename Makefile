# What can be done here: `make help`.

PRESET ?= quick
PYTHON3 ?= python3
# CUDA=1: with the feature cuda, on a machine with a GPU and the CUDA toolkit. CUDA=auto: on the CPU elsewhere.
ifeq ($(CUDA),auto)
override CUDA := $(shell $(PYTHON3) tools/cuda_here.py --or-cpu > /dev/null && echo 1)
endif
cuda := $(if $(CUDA),--features cuda)
cuda_here := $(if $(CUDA),cuda-here)
# What notebooks get, without a change of theirs.
export EVCXR_FEATURES := $(if $(CUDA),energy-discrepancy/cuda,$(EVCXR_FEATURES))
export JUPYTER_CONFIG_PATH := $(if $(JUPYTER_CONFIG_PATH),$(JUPYTER_CONFIG_PATH):)$(CURDIR)/.kernel/etc/jupyter
export JUPYTER_PATH := $(CURDIR)/.kernel/share/jupyter$(if $(JUPYTER_PATH),:$(JUPYTER_PATH))

.PHONY: help setup data lab run store test test-rust test-kernel test-browser test-python test-slow test-memory \
	test-parquet check-cuda test-cuda-on-cpu cuda-here bench compare

help:
	@echo "make lab                 set up, and open the notebooks in JupyterLab"
	@echo "make test                set up, and run all tests (the notebooks in the smoke preset too)"
	@echo "make run [PRESET=quick]  execute the notebooks into target/notebooks (NB=name for one;"
	@echo "                         PRESET: smoke, quick, full, paper)"
	@echo "make store NB=name       run in the full preset, and keep the outputs in the notebook"
	@echo "make test-browser        a reader's presses in a real JupyterLab (needs Chromium)"
	@echo "make test-python         saved weights in numpy"
	@echo "make test-slow           what takes minutes: 25 Gaussians in full, a small latent model, log Z"
	@echo "make test-memory         the fused operations under valgrind"
	@echo "make test-parquet        the feature parquet: its clippy and tests"
	@echo "make check-cuda          compiles with the feature cuda, without a GPU"
	@echo "make test-cuda-on-cpu    runs the feature's tests, through stand-ins for NVIDIA's libraries"
	@echo "make lab CUDA=1          any of these on the GPU (CUDA=auto: where there is one)"
	@echo "make bench               times the training steps (case, threads, milliseconds)"
	@echo "make compare             the same beside JAX and, where it is installed, PyTorch"
	@echo "make data                MNIST into data/mnist"
	@echo "make setup               only set up"

setup: $(cuda_here)
	@$(PYTHON3) tools/setup.py

data:
	@$(PYTHON3) tools/mnist.py

# Without MNIST the other notebooks run all the same.
lab: setup
	@$(PYTHON3) tools/mnist.py || echo "lab: the notebook edlebm_mnist needs these files; the others do not"
	.kernel/python -m jupyterlab notebooks $(LAB_ARGS)

# One notebook needs MNIST: in the smoke preset the digits of tests/mnist are enough.
mnist = $(if $(filter-out edlebm_mnist,$(NB)),,data)

run: setup $(if $(filter-out smoke,$(PRESET)),$(mnist))
	@.kernel/python tools/run_notebooks.py --preset $(PRESET) $(if $(NB),--name $(NB))

store: setup $(mnist)
	@.kernel/python tools/run_notebooks.py --preset full --store $(if $(NB),--name $(NB))

test: setup test-rust test-kernel

test-rust: $(cuda_here)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(cuda) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps $(cuda)
	cargo test --workspace $(cuda)

test-kernel: setup
	.kernel/python -m pytest -q tests/kernel

# Python's playwright drives the Chromium that is installed; it stays out of the notebooks' packages.
test-browser: setup
	@$(PYTHON3) -m venv .kernel/browser
	@.kernel/browser/bin/python -m pip install --quiet --disable-pip-version-check -r tests/browser/requirements.txt
	.kernel/browser/bin/python -m pytest -q -s tests/browser

# numpy and safetensors stay out of the notebooks' packages too.
test-python:
	@$(PYTHON3) -m venv target/python-tests
	@target/python-tests/bin/python -m pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt
	target/python-tests/bin/python -m pytest -q tests/python

test-slow: data
	cargo test --release --test slow --test annealing --test checkpoints --test tables -- --ignored --nocapture

# valgrind knows no AVX-512.
test-memory:
	cargo test --package energy-discrepancy-kernels --no-run
	for level in avx2 plain; do \
		ED_SIMD=$$level valgrind --quiet --error-exitcode=1 --leak-check=no \
			$$(ls -t target/debug/deps/energy_discrepancy_kernels-* | grep -v '\.' | head -n 1) --skip twins || exit 1; \
	done

test-parquet:
	cargo clippy --all-targets --features parquet -- -D warnings
	cargo test --features parquet --lib data

# The feature's tests without a GPU.
test-cuda-on-cpu:
	$(PYTHON3) tools/cuda_on_cpu.py

check-cuda:
	$(PYTHON3) tools/check_cuda.py

cuda-here:
	@$(PYTHON3) tools/cuda_here.py

bench: $(cuda_here)
	@cargo bench --quiet --bench steps $(cuda) -- --seconds 2

compare:
	$(PYTHON3) tools/compare.py
