# The commands of README.md. Each installs what is missing, builds, and is quick when nothing changed.
PRESET ?= cpu
CONFIG ?= configs/fashion_mnist_cnn_int8.yaml
NAME   ?= step
ARGS   ?=
BUILD  := build/$(PRESET)
CMAKE  := .venv/bin/cmake
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: train test test-long fuzz build package setup bench peers results interop accuracy picture ptxas mutants format tidy clean help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

setup:
	@tools/setup.sh $(PRESET)

## make build  PRESET=cpu|cuda|asan|tsan|aarch64|fuzz|tidy    install what is missing, configure, compile
build: setup
	@test -f $(BUILD)/build.ninja || $(CMAKE) --preset $(PRESET)
	@$(CMAKE) --build $(BUILD)

## make train  CONFIG=configs/x.yaml ARGS="--set qat.epochs=1"    the main job: train, export, verify, report
train: build
	@.venv/bin/python tools/datasets.py $(CONFIG)
	@$(BUILD)/bin/samebits train $(CONFIG) $(ARGS)

## make test   PRESET=cpu|cuda|asan|tsan|aarch64    every test, C++ and Python; aarch64: kernels and runtime, by qemu
test: build
	@.venv/bin/python tools/run_tests.py $(BUILD) $(ARGS)

## make package    the runtime as .deb and as an archive, in build/cpu/packages
package: build
	@cd $(BUILD) && $(CURDIR)/.venv/bin/cpack

## make test-long    what takes minutes, an hour at most: all 2^32 floats through quantize and fake_quantize, arrays of
##                   2^31 elements
test-long: build
	@SAMEBITS_EXHAUSTIVE=1 timeout 3600 $(BUILD)/bin/kernels_exhaustive_test --gtest_brief=1

## make fuzz   ARGS="--seconds 60 --target gemm_int8"    every kernel against its reference, readers against wrong files
fuzz:
	@$(MAKE) --no-print-directory build PRESET=fuzz
	@.venv/bin/python tools/fuzz.py build/fuzz $(ARGS)

## make bench  NAME=kernels|float_ops|gemm|step|capture|inference|int4|profile|ptq|minilm    a benchmark of tests/benchmark/, and its tables
bench: build
	@mkdir -p build/tables
	@$(or $(BENCH_$(NAME)),$(BUILD)/bin/benchmark_$(NAME)) --json build/tables/$(NAME).json
	@.venv/bin/python tools/tables.py build/tables/$(NAME).json
BENCH_minilm := tests/benchmark/minilm.sh $(BUILD)/bin/benchmark_minilm build/minilm
BENCH_ptq := .venv/bin/python tests/benchmark/ptq.py $(BUILD)/bin/samebits
BENCH_inference := .venv/bin/python tests/benchmark/peers_inference.py $(BUILD)/bin/benchmark_inference

## make peers    the training steps of other libraries, installed into build/peers, and the tables they fill
peers: build/peers/installed
	@mkdir -p build/tables
	@build/peers/bin/python tests/benchmark/peers.py --json build/tables/peers.json
	@build/peers/bin/python tools/tables.py build/tables/peers.json
build/peers/installed: tests/benchmark/requirements-peers.txt
	@python3 -m venv build/peers
	@build/peers/bin/python -m pip install -q --disable-pip-version-check uv
	@build/peers/bin/python -m uv pip install -q --python build/peers/bin/python -r $<
	@touch $@

## make results    train the experiments of README.md's first table, and fill it and docs/results/experiments.md
results: build
	@.venv/bin/python tools/results.py $(BUILD)/bin/samebits build/tables
	@.venv/bin/python tools/tables.py build/tables/make_train.txt
	@.venv/bin/python tools/tables.py build/tables/results.json

## make interop    each model in each format, and what differs: fills docs/results/interop.md (trains nine models)
interop: build
	@mkdir -p build/tables
	@for each in kjv_lstm kjv_gpt digits_transformer; do .venv/bin/python tools/datasets.py configs/$$each.yaml; done
	@.venv/bin/python tools/interop.py $(BUILD)/bin/samebits build/tables $(ARGS)
	@.venv/bin/python tools/tables.py build/tables/interop.json

## make accuracy    train cnn and resnet20 at 4 and 3 bits with each estimator, and fill docs/results/accuracy.md (hours)
accuracy: build
	@mkdir -p build/tables
	@.venv/bin/python tools/accuracy.py $(BUILD)/bin/samebits build/accuracy $(ARGS)
	@cp build/accuracy/methods.json build/tables/methods.json
	@.venv/bin/python tools/tables.py build/tables/methods.json

## make picture  RUN=runs/x/latest    docs/report.png from the report of a run (needs chromium)
RUN ?= runs/fashion_mnist_cnn_int8/latest
picture: setup
	@.venv/bin/python tools/picture.py $(RUN)/report.html docs/report.png

## make ptxas    registers, shared memory, spills and theoretical occupancy of every CUDA kernel (needs nvcc, not a GPU)
ptxas: setup
	@mkdir -p build/tables
	@.venv/bin/python tools/ptxas.py --json build/tables/ptxas.json --text build/tables/ptxas.txt $(ARGS)
	@.venv/bin/python tools/tables.py build/tables/ptxas.txt

## make mutants  ARGS="--kernel fake_quantize"    break kernels on purpose, and see their tests go red
mutants: setup
	@.venv/bin/python tools/mutants.py $(ARGS)

## make format    clang-format over every C++ file
format: setup
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs .venv/bin/clang-format -i

## make tidy    clang-tidy over every C++ file
tidy:
	@$(MAKE) --no-print-directory build PRESET=tidy

clean:
	@rm -rf build
