# run · test · soak · bench · deps. `make test` is what continuous integration calls, and nothing else.
# Parallel make would only have cargo wait for cargo.
.NOTPARALLEL:
SHELL := /bin/bash
CARGO ?= cargo
ARGS ?=

.PHONY: run cc test soak deps fmt clippy unit core protocol deny openapi bench

# A ledger with a bank's year in it, on http://127.0.0.1:8080. `make run ARGS="--listen 0.0.0.0:9000"` for other arguments.
run: cc
	$(CARGO) run --release --bin daybook -- demo $(ARGS)

# Rust links with a C compiler, and two crates bring C code.
cc:
	@command -v cc >/dev/null || { if [ "$$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi; \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends gcc libc6-dev; }

test: deps fmt clippy core deny protocol unit

# The long forms of the campaigns that try to break the ledger, one after the other so that each has the machine.
# DAYBOOK_SEED repeats what chance did in a run that failed.
soak: export DAYBOOK_SOAK := 1
soak: deps
	$(CARGO) test --locked --all-features --test it -- --test-threads=1 crashing:: faults:: overload::

# Debian's packages that building and testing need, where they are missing; cargo-deny from crates.io.
APT := gcc libc6-dev make python3 python3-cryptography chromium strace faketime
deps:
	@missing=""; for package in $(APT); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi; \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; fi
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked --quiet cargo-deny

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --quiet --locked --all-features --all-targets -- -D warnings
	$(CARGO) clippy --quiet --locked --no-default-features --lib --bins -- -D warnings

# The pure core and the verifier build and pass alone.
core:
	$(CARGO) test --quiet --locked --no-default-features --lib --bins

deny:
	cargo-deny --all-features check --hide-inclusion-graph licenses bans sources

# The append path's threads in orders that seeds decide.
protocol:
	$(CARGO) test --quiet --locked --all-features --test protocol

# Everything else: unit tests with all features, and the integration tests over the real binary. Last, so that its
# summary is the last thing printed.
unit:
	$(CARGO) test --locked --all-features --lib --bins --test it

# Writes openapi/daybook.json from the program.
openapi:
	DAYBOOK_UPDATE=1 $(CARGO) test --all-features --test it describing::the_checked_in -- --quiet

# All benchmarks, each alone on the machine, printed as tables and kept in benches/RESULTS.md. About twenty minutes;
# `make bench FULL=1` takes the large sizes, an hour and 30 GB below target/bench-data. One alone, with arguments:
# `make bench BENCHES=append ARGS=--quick`.
BENCHES := micro verify index startup query append
bench:
	$(CARGO) bench --no-run --features sled
	@set -e; for bench in $(BENCHES); do echo; echo "== $$bench"; \
	  $(CARGO) bench --quiet --features sled --bench $$bench -- --results $(CURDIR)/benches/RESULTS.md $(if $(FULL),--full) $(ARGS); done
