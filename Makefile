# pabal: the few commands that a person types. What is longer than two lines
# is in scripts/.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ARGS    ?=
PKG     ?= ./...
FUZZTIME ?= 10s
POINTS  ?= 500
ROWS    ?= 1000000
BIG     ?= 1024
VERSIONS ?= 12 13 14 16 17 18

# One static binary (CGO off), the same bytes from any directory (trimpath).
# The version comes from git here, so Go need not ask git again (buildvcs).
build_flags = -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'

.DEFAULT_GOAL := help
.PHONY: help run test build bench microbench lint fuzz chaos big rows postgres-versions deps check-go

help: ## print these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and show files going out and coming back (ARGS="--crash" kills the server half way)
	@bin/pabal demo $(ARGS)

test: check-go ## everything that proves it works; installs missing test tools where it may (PKG=./naming/... for a part)
	@scripts/test.sh $(PKG)

build: check-go ## the static binary, bin/pabal
	@echo "building bin/pabal $(VERSION)" >&2
	@CGO_ENABLED=0 go build $(build_flags) -o bin/pabal ./cmd/pabal

bench: build ## how fast files travel on this machine, against a floor (ARGS="--json --dir DIR")
	@bin/pabal bench $(ARGS)

microbench: check-go ## benchmarks of the packages, with allocations (PKG=./protocol/... for a part)
	@CGO_ENABLED=0 go test -run '^$$' -bench . -benchmem $(PKG)

lint: check-go ## what the tests cannot see: format, vet, staticcheck, our own rules
	@scripts/lint.sh

fuzz: check-go ## every fuzz target for FUZZTIME each (default 10s)
	@scripts/fuzz.sh $(FUZZTIME)

chaos: check-go ## kill the server at POINTS random points (default 500); long
	PABAL_CHAOS_POINTS=$(POINTS) go test -count=1 -timeout 3h -v -run '^TestChaos' $(PKG)

big: check-go ## a file of BIG MiB (default 1024) each way with both protocols; time and peak memory; some minutes
	PABAL_BIG=$(BIG) go test ./instance -count=1 -run TestBigFiles -v -timeout 30m

rows: check-go ## what asking for work and listing cost beside ROWS (default 1000000) finished transfers, on both engines; minutes
	PABAL_ROWS=$(ROWS) go test ./store -count=1 -run '^$$' -bench FinishedRows -benchtime 1x -v -timeout 1h

postgres-versions: check-go ## what depends on PostgreSQL, on each of VERSIONS (default "12 13 14 16 17 18"; fetched with npm); minutes each
	@scripts/postgres-versions.sh $(VERSIONS)

deps: ## name and, where it may, install the Debian packages that tests use
	@scripts/deps.sh

check-go:
	@scripts/check-go.sh
