# run · test · soak · fuzz · mutants · bench · deps. `make test` is what continuous integration calls, and nothing else.
# Parallel make would only have cargo wait for cargo.
.NOTPARALLEL:
SHELL := /bin/bash
CARGO ?= cargo
ARGS ?=

.PHONY: run cc test soak deps fmt clippy unit core protocol deny unused fuzz fuzz-seeds mutants mutants-deps openapi packages bench

# A ledger with a bank's year in it, on http://127.0.0.1:8080. `make run ARGS="--listen 0.0.0.0:9000"` for other arguments.
run: cc
	$(CARGO) run --release --bin daybook -- demo $(ARGS)

# Rust links with a C compiler, and two crates bring C code.
cc:
	@command -v cc >/dev/null || { if [ "$$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi; \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends gcc libc6-dev; }

test: deps fmt unused clippy core deny protocol fuzz unit

# The long forms of the campaigns that try to break the ledger, one after the other so that each has the machine: about
# three hours are planned for all parts, and below one for a part on its own, `make soak PARTS=crash`. tests/soak.sh says what each part
# does, and the end of a run how much of it was done. DAYBOOK_SEED repeats what chance did in a run that failed.
PARTS ?= crash faults rot load api log order views fuzz mutants
soak: deps mutants-deps
	@tests/soak.sh $(PARTS)

# Debian's packages that building and testing need, where they are missing; cargo-deny and cargo-machete from crates.io,
# schemathesis from PyPI (its versions are in the file); Debian's Prometheus for what is in ops/.
APT := gcc g++ libc6-dev make python3 python3-cryptography python3-venv chromium strace faketime
SCHEMATHESIS := target/schemathesis
# Unpacked and not installed: its package would start a server.
PROMETHEUS := target/prometheus
PINS := tests/schemathesis/requirements.txt
deps:
	@missing=""; for package in $(APT); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi; \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; fi
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked --quiet cargo-deny
	@command -v cargo-machete >/dev/null || $(CARGO) install --locked --quiet cargo-machete
	@test -x $(PROMETHEUS)/usr/bin/promtool || { \
	  mkdir -p $(PROMETHEUS) && cd $(PROMETHEUS) && { apt-get download -q prometheus || { \
	    if [ "$$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi; $$sudo apt-get update -q; apt-get download -q prometheus; }; } && \
	  dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb; }
	@cmp -s $(PINS) $(SCHEMATHESIS)/installed || { \
	  /usr/bin/python3 -m venv --clear $(SCHEMATHESIS) && \
	  $(SCHEMATHESIS)/bin/pip install --quiet --disable-pip-version-check -r $(PINS) && \
	  cp $(PINS) $(SCHEMATHESIS)/installed; }

fmt:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check

clippy:
	$(CARGO) clippy --quiet --locked --workspace --all-features --all-targets -- -D warnings
	$(CARGO) clippy --quiet --locked --workspace --no-default-features --lib --bins -- -D warnings

# The formats and the verifier build and pass alone, and what their documents show runs.
core:
	$(CARGO) test --quiet --locked --no-default-features -p daybook-spec -p daybook-verify

deny:
	cargo-deny --locked --all-features --workspace check --hide-inclusion-graph licenses bans sources
	cargo-deny --locked --config deny.toml --manifest-path fuzz/Cargo.toml check --hide-inclusion-graph licenses bans sources

# Dependencies that nothing uses, of all packages and of the fuzz targets.
unused:
	cargo-machete

# Every fuzz target for some seconds, two at a time, on stable Rust: the flags make rustc count what is reached, as
# cargo-fuzz would ask of it. One build for all. What a run finds beyond the seeds stays in target/fuzz/corpus.
# `make fuzz FUZZ_SECONDS=3600` is the long form, `FUZZ_TARGETS="note entry"` some of them.
FUZZ_SECONDS ?= 15
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_HOST := $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-, \
  level=4 inline-8bit-counters pc-table trace-compares)
FUZZ_CARGO := RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO)
FUZZ_BUILD := --quiet --locked --manifest-path fuzz/Cargo.toml --target $(FUZZ_HOST) --target-dir target/fuzz
fuzz:
	$(FUZZ_CARGO) build $(FUZZ_BUILD) --bins
	@printf '%s\n' $(FUZZ_TARGETS) | FUZZ_BIN=target/fuzz/$(FUZZ_HOST)/debug xargs -P 2 -n 1 fuzz/run.sh $(FUZZ_SECONDS)

# Faults put into the folds, one at a time: one shard of so many, or as many shards as there is time for, in an order of
# chance. What became of all that were ever tried here is added up at the end; a fifth is gathered in pieces.
MUTANTS_SHARDS ?= 600
mutants: mutants-deps
	@MINUTES=$(if $(MUTANTS_SHARD),,$(or $(MUTANTS_MINUTES),50)) nice -n 10 tests/mutants/run.sh \
	  $(or $(MUTANTS_SHARD),$$(shuf -i 0-$$(($(MUTANTS_SHARDS) - 1)) | sed 's|$$|/$(MUTANTS_SHARDS)|'))
	@tests/mutants/sum.py

mutants-deps:
	@command -v cargo-mutants >/dev/null || $(CARGO) install --locked --quiet cargo-mutants

# Writes the seeds in fuzz/corpus anew.
fuzz-seeds:
	$(FUZZ_CARGO) run $(FUZZ_BUILD) --features seeds --bin seeds

# The append path's threads in orders that seeds decide.
protocol:
	$(CARGO) test --quiet --locked --all-features --test protocol

# Everything else: unit tests of all packages with all features, the suite of lies, and the integration tests over the
# real binary.
unit:
	$(CARGO) test --locked --workspace --all-features --lib --bins --test it --test lies

# Writes openapi/daybook.json from the program, after the demo was asked again what openapi/answers.json shows of it.
openapi:
	DAYBOOK_UPDATE=1 $(CARGO) test --all-features --test it describing::the_example_answers -- --quiet
	DAYBOOK_UPDATE=1 $(CARGO) test --all-features --test it describing::the_checked_in -- --quiet

# Writes the verifier's list of dependencies and that of their licences, from what cargo says.
packages:
	DAYBOOK_UPDATE=1 $(CARGO) test --locked --all-features --test it packages::what packages::the_licences -- --quiet

# All benchmarks, each alone on the machine, printed as tables and kept in benches/RESULTS.md. About half an hour;
# `make bench FULL=1` takes the large sizes, an hour and 30 GB below target/bench-data. One alone, with arguments:
# `make bench BENCHES=append ARGS=--quick`.
BENCHES := micro verify index startup query append views abuse
bench:
	$(CARGO) bench --no-run $(addprefix --bench ,$(BENCHES))
	@set -e; for bench in $(BENCHES); do echo; echo "== $$bench"; \
	  $(CARGO) bench --quiet --bench $$bench -- --results benches/RESULTS.md $(if $(FULL),--full) $(ARGS); done
