.DEFAULT_GOAL := help

# Newer than what some distributions ship; go fetches the one that go.mod asks for.
export GOTOOLCHAIN ?= auto

CONTROL_PLANE := .lattice/bin
# Cargo's own pattern; a test that needs a real API server is called tests/api_*.rs.
API_TESTS := 'api_*'
CLUSTER_TESTS := $(sort $(basename $(notdir $(wildcard tests/clusters_*.rs))))
# What those of them that failed have said.
FAILED := target/failed-tests
PURE_TESTS := $(foreach file,$(filter-out tests/api_% tests/clusters_%,$(wildcard tests/*.rs)),--test $(basename $(notdir $(file))))

.PHONY: help setup control-plane machine-parts next-release build demo demo-clusters test test-build test-unit test-api test-clusters lint fmt generate bench bench-agents bench-peers coverage docs clean fuzz

help: ## Says what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' Makefile

setup: ## Installs missing build tools (Debian)
	@tools/setup.sh

control-plane: ## Builds etcd, kube-apiserver and kubectl into .lattice/bin
	@tools/control-plane/build.sh $(CONTROL_PLANE)

machine-parts: control-plane ## Builds what local machines are made of into .lattice/bin
	@tools/machine-parts/build.sh $(CONTROL_PLANE)

next-release: machine-parts ## Builds what a local cluster is upgraded to in tests into .lattice/bin/next
	@tools/machine-parts/next.sh $(CONTROL_PLANE)/next

build: ## Builds the release binary
	cargo build --release --locked

demo: setup ## Runs a fleet on this machine, from nothing
	@$(MAKE) --no-print-directory -j2 build control-plane
	target/release/lattice demo

AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

demo-clusters: setup ## Makes a cluster on this machine, from nothing; needs root
	@$(MAKE) --no-print-directory -j2 build machine-parts
	$(AS_ROOT) target/release/lattice demo --clusters

# The Go build and the Rust build have long stretches in which one core is idle, so they share the machine.
# Where nobody works, what only the next build would use is not made: it takes a sixth of the crate's time, and half of the space.
test: export CARGO_INCREMENTAL ?= $(if $(wildcard target/debug/incremental),1,0)
test: setup ## Everything: format, lints, unit tests, tests against a real API server
	@$(MAKE) --no-print-directory -j2 next-release test-build
	@$(MAKE) --no-print-directory lint
# Unit tests compute, those against API servers mostly wait. Clusters beside them take longer than after them: what runs in them
# looks again and again, and a machine that is full has them look for longer.
	@$(MAKE) --no-print-directory -j2 test-unit test-api
	@$(MAKE) --no-print-directory test-clusters

test-build:
	cargo test --locked --no-run --lib --bins --tests

test-unit: ## Tests that need nothing but this source
	cargo test --locked --doc
	cargo test --locked --lib --bins $(PURE_TESTS)

test-api: machine-parts ## Tests against a real etcd and kube-apiserver
	cargo test --locked --test $(API_TESTS)

# They mostly wait for machines, and each has a network of its own. What those that failed said is told once more at the end, where
# it is looked for.
test-clusters: next-release ## Real clusters of local machines; needs root
	cargo test --locked --no-run $(CLUSTER_TESTS:%=--test %)
	@rm -rf $(FAILED)
	@$(MAKE) --no-print-directory -j3 --output-sync=target $(CLUSTER_TESTS:%=run-%) || { tail -n 150 $(FAILED)/*; exit 1; }

run-clusters_%:
	@mkdir -p $(FAILED)
	@RUST_BACKTRACE=0 cargo test --locked --test clusters_$* -- --test-threads 1 --nocapture >$(FAILED)/$* 2>&1; \
		ended=$$?; cat $(FAILED)/$*; [ $$ended != 0 ] || rm $(FAILED)/$*; exit $$ended

lint: ## Format check and clippy
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

fmt: ## Formats the source
	cargo fmt

generate: ## Writes what is generated from the source: CRDs, the kinds' reference
	cargo run --locked -- crds crds
	cargo run --locked -- reference docs/reference

# `make bench BENCH_ARGS="--docs docs"` writes the table by size and its chart anew.
bench: ## Runs the benchmarks
	cargo run --release --locked --example generate-fleet -- 10000 100 target/fleet-10000x100
	cargo bench --locked
	cargo run --release --locked --example bench-solver -- --runs 5 $(BENCH_ARGS)
	cargo run --release --locked --example bench-changes

# `make fuzz FUZZ_SECONDS=3600` for longer. The fuzzer needs a nightly toolchain. Without a sanitizer, which finds little where
# unsafe code is forbidden, it tries several times as much.
FUZZ_SECONDS ?= 60

fuzz: ## Feeds the solver, and what hears cells and agents, with what a fuzzer finds
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
	cargo +nightly fuzz run -s none solve -- -max_total_time=$(FUZZ_SECONDS) -max_len=256 -len_control=0 -timeout=60
	for target in frames headers paths; do \
		cargo +nightly fuzz run -s none $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -timeout=20 || exit 1; \
	done

PEERS := target/bench-peers
# `make bench-peers PEERS_ARGS=--quick` does the smallest instance and writes no docs.
PEERS_ARGS ?= --docs docs

bench-peers: setup ## Lattice beside Karpenter on the same pods; rewrites table and chart in docs/
	cd benches/peers && CGO_ENABLED=0 go test -trimpath -vet=off ./...
	cd benches/peers && CGO_ENABLED=0 go build -trimpath -o ../../$(PEERS)/karpenter .
	cargo run --release --locked --example bench-peers -- --karpenter $(PEERS)/karpenter --folder $(PEERS) $(PEERS_ARGS)

bench-agents: ## A thousand agents on one cell; rewrites their tables in docs/
	cargo run --release --locked --example bench-agents -- --docs docs

coverage: control-plane ## Line coverage: 85 % of all, 95 % of scheduler and placement
	@tools/coverage.sh

docs: ## The API's reference and, with mdbook, the handbook
	cargo doc --locked --no-deps
	@command -v mdbook >/dev/null || cargo install mdbook --locked --version 0.5.4
	@if [ -f docs/book.toml ]; then mdbook build docs; fi

clean: ## Removes what was built; the control plane's programs stay in Go's cache
	cargo clean
	rm -rf $(CONTROL_PLANE)
