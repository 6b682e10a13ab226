# SPDX-License-Identifier: MIT
#
# The short way in; Meson and Ninja do the work, in folders under build/.

BUILD ?= build
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
LONG_FUZZ_SECONDS ?= 1800
# Which benchmarks `make bench` runs.
BENCH ?= smmuv3-translate iova pgtable cmdq

# What `make test` runs; the suite `long` is left to `make test-long`.
QUICK := --no-suite long
SLOW := $(QUICK) --timeout-multiplier 4

# The steps of a target run in the order written, whatever -j says; Ninja uses all CPUs.
.NOTPARALLEL:
.PHONY: all run image run-qemu bench test test-matrix test-long size lint format install clean help \
	test-gcc test-asan test-qemu test-clang test-tsan test-install fuzz

all: deps-build ## build the weir command
	@scripts/configure $(BUILD)/gcc gcc
	@scripts/build $(BUILD)/gcc weir

run: all ## build, then run the main job: make run ARGS='--rogue --json'
	@$(BUILD)/gcc/weir run $(ARGS)

image: deps-image ## build the bare-metal image for QEMU's aarch64 machine
	@scripts/configure $(BUILD)/aarch64-virt aarch64-linux-gnu-gcc \
		--cross-file platforms/aarch64-virt/cross.ini
	@scripts/build $(BUILD)/aarch64-virt

run-qemu: all image ## the main job on bare metal: make run-qemu ARGS='--cpus 4 --el2'
	@BUILD=$(BUILD) scripts/run-qemu $(ARGS)

bench: deps-build ## what the hot paths cost, beside bounds: make bench BENCH=iova ARGS='--json'
	@scripts/configure $(BUILD)/bench gcc -Dtests=disabled --buildtype=release
	@scripts/build $(BUILD)/bench $(BENCH:%=bench/%)
	@for bench in $(BENCH); do $(BUILD)/bench/bench/$$bench $(ARGS) || exit; done

test: test-gcc test-asan test-qemu ## the tests: gcc, plain and under sanitizers; the image on QEMU

test-matrix: test-clang test-tsan test-install lint fuzz ## clang, thread sanitizer, freestanding, lint, fuzzers

test-gcc: deps-test
	@scripts/configure $(BUILD)/gcc gcc -Dtests=enabled
	@scripts/check $(BUILD)/gcc $(QUICK)

test-asan: deps-test
	@scripts/configure $(BUILD)/asan gcc -Dtests=enabled -Db_sanitize=address,undefined
	@scripts/check $(BUILD)/asan $(SLOW)

test-qemu: image
	@scripts/check $(BUILD)/aarch64-virt $(QUICK)

# Here the packaging tests also build src/ freestanding with every compiler, for both architectures.
test-clang: deps-matrix
	@scripts/configure $(BUILD)/clang clang -Dtests=enabled
	@WEIR_TOOLCHAINS=all scripts/check $(BUILD)/clang $(QUICK)

test-tsan: deps-matrix
	@scripts/configure $(BUILD)/tsan clang -Dtests=enabled -Db_sanitize=thread
	@scripts/check $(BUILD)/tsan $(SLOW)

# What is installed serves an embedder that knows nothing of this tree but pkg-config's word.
test-install: deps-test
	@rm -rf $(BUILD)/dest
	@$(MAKE) --no-print-directory install DESTDIR=$(abspath $(BUILD)/dest)
	@scripts/check-install $(BUILD)/dest

fuzz: deps-matrix ## each fuzzer for FUZZ_SECONDS (60)
	@scripts/fuzz $(BUILD)/fuzz $(FUZZ_SECONDS)

# The SMMUv3's fuzzers, half an hour each, as many at a time as there are CPUs: an hour on two.
test-long: deps-matrix ## what takes longer; the SMMUv3's fuzzers for LONG_FUZZ_SECONDS (1800)
	@scripts/configure $(BUILD)/gcc gcc -Dtests=enabled
	@scripts/check $(BUILD)/gcc --suite long --timeout-multiplier 10
	@scripts/fuzz $(BUILD)/fuzz $(LONG_FUZZ_SECONDS) smmuv3

size: deps-matrix ## code size, deepest stack and structure sizes of the freestanding build
	@scripts/size

lint: deps-matrix image ## clang-tidy and cppcheck
	@scripts/configure $(BUILD)/clang clang -Dtests=enabled
	@scripts/lint $(BUILD)/clang $(BUILD)/aarch64-virt

format: deps-matrix ## clang-format over every C file
	@find include src models platforms drivers tools tests fuzz bench examples -name '*.[ch]' 2>/dev/null | \
		xargs clang-format -i

# A warning of a compiler that nobody here has seen is no reason not to install.
install: deps-build ## install under PREFIX (/usr/local), below DESTDIR
	@scripts/configure $(BUILD)/install gcc -Dtests=disabled --buildtype=release -Dwerror=false \
		--prefix=$(PREFIX)
	@scripts/build $(BUILD)/install
	@meson install -C $(BUILD)/install --no-rebuild --quiet

clean: ## remove every build folder
	@rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

deps-%:
	@scripts/install-deps $*
