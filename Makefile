# "make help" shows the targets with a "##" comment.

GO            ?= go
FUZZTIME      ?= 30s
BENCHFLAGS    ?=

# The flags of xcaddy, so that "make build" gives the binary that users get.
BUILD_TAGS    := nobadger,nomysql,nopgx
BUILD_FLAGS   := -trimpath -ldflags "-w -s" -tags $(BUILD_TAGS)

# Tests, and the engine for PostgreSQL, that have dependencies of their own are separate Go modules.
NESTED        := $(patsubst %/go.mod,%,$(shell find e2e queue -name go.mod 2>/dev/null))
# A program that only `make soak` builds is one, too.
NESTED_TESTS  := $(foreach dir,$(NESTED),$(if $(wildcard $(dir)/*_test.go),$(dir)))
# Many tests wait for other processes more than they work: there is one package more at
# work than there are processors, and one of the nested modules.
PACKAGES      := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

# The linter is pinned, since another version reports other issues. An
# installed one of this version is used; else it is installed into bin/.
LINT_VERSION  := 2.15.0
LINT_FOUND     = $(firstword $(foreach dir,$(CURDIR)/bin $(shell $(GO) env GOPATH)/bin,\
                 $(if $(findstring version $(LINT_VERSION) ,$(shell $(dir)/golangci-lint version 2>/dev/null)),$(dir)/golangci-lint)))
LINT          := $(CURDIR)/bin/golangci-lint

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## start the demonstration: legacy API, Caddy and a receiver; or, with SYSTEM=bond, one of the systems in examples/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./examples/...
	bin/demo $(if $(SYSTEM),-system $(SYSTEM))

.PHONY: build
build: ## build bin/caddy, as xcaddy would
	CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/caddy ./cmd/caddy

# Go's cache does not know the programs that the tests in e2e/ run: without
# -count=1 it would take an earlier program's result for this one's.
.PHONY: test
test: export CADDY_WEBHOOKS_BINARY := $(CURDIR)/bin/caddy
test: build ## run all tests with the race detector
	@$(MAKE) --no-print-directory --keep-going --jobs=2 test-root $(NESTED_TESTS:=/test)

.PHONY: test-root
test-root:
	$(GO) test -race -count=1 -p $(PACKAGES) -timeout 30m ./...

# What a module says comes in one piece: all that failed, or what could not be tested here.
.PHONY: $(NESTED_TESTS:=/test)
$(NESTED_TESTS:=/test): %/test:
	@said=$$(cd $* && $(GO) test -v -race -count=1 -timeout 30m ./... 2>&1); failed=$$?; echo "in $*:"; \
	if [ $$failed = 0 ]; then echo "$$said" | grep -E 'NOT TESTED|^(ok|\?) '; else echo "$$said" | grep -vE '^ *(=== |--- PASS)'; fi; exit $$failed

.PHONY: soak
soak: ## the long runs: 1,000 kills and 125 while opening, each failpoint with the race detector, every answer on every target, 10 minutes of strangers, 100 power cuts, 2,400 damages, 70,000 walks of the queues' model, 2,000 of their feeds, 1,000 each of the emitter and of snapshots, 20,000 of objects that belong together, 100 of those on disk, all sequences of three requests, and the API server of Kubernetes
	$(GO) test -race -timeout 6h ./e2e/crash -run TestKill -kills 1000
	$(GO) test -race -timeout 6h ./e2e/crash -run Failpoints -race-failpoints
	$(GO) test -race -timeout 6h ./e2e/transparent -all
	$(GO) test -timeout 6h ./e2e/strangers -lasts 10m
	$(GO) test -timeout 6h ./e2e/powercut -cuts 100
	$(GO) test -timeout 6h ./e2e/damage -cases 300
	$(GO) test -race -timeout 6h ./queue/badger -run TestDamage -rounds 36
	$(GO) test -timeout 6h . -run TestPromisesOfRelations -rapid.checks=20000
	$(GO) test -timeout 6h . -run TestPromisesOnDisk -walks-on-disk 100
	$(GO) test -timeout 6h ./reconcile/model -all
	$(GO) test -timeout 6h ./emitter -run TestLanesUnderFire -rapid.checks=1000
	$(GO) test -timeout 6h ./pipeline/snapshots -run TestProperty -rapid.checks=1000
	$(GO) test -timeout 6h ./e2e/kubernetes -kubernetes
	$(GO) test -timeout 6h ./queue/memory -run TestConformance/model -rapid.checks=900 -count=60
	$(GO) test -timeout 6h ./queue/badger -run "TestConformance.*/model" -rapid.checks=100 -count=90
	$(GO) test -timeout 6h ./queue/badger -run "Test(ConformanceOfProcess|Kept)/feeds" -rapid.checks=100 -count=10

.PHONY: lint
lint: ## check format, go vet and golangci-lint
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	@set -e; for dir in $(NESTED_TESTS); do echo "in $$dir:"; (cd $$dir && $(GO) vet ./...); done
	@set -e; linter="$(LINT_FOUND)"; \
	if [ -z "$$linter" ]; then \
		echo "installing golangci-lint $(LINT_VERSION) into bin/"; \
		GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION); \
		linter=$(LINT); \
	fi; \
	for dir in . $(NESTED_TESTS); do echo "golangci-lint run in $$dir"; (cd $$dir && $$linter run --config $(CURDIR)/.golangci.yml); done

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME (30s)
	@set -e; find . -name '*_test.go' | sort | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			dir=$$(dirname "$$file"); echo "$$name in $$dir"; \
			(cd "$$dir" && $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) .) </dev/null; \
		done; \
	done

.PHONY: bench
bench: ## measure the performance budgets
	$(GO) run ./bench $(BENCHFLAGS)

.PHONY: ramp
ramp: ## let the load rise from 10 to 10,000 changes a second and fall again, ten minutes each on three APIs, and write what was seen into docs/performance
	$(GO) run ./bench -only ramp $(BENCHFLAGS)

.PHONY: clean
clean: ## remove what was built; the demonstration's queue in data/ stays
	rm -rf bin
	$(GO) clean -testcache
