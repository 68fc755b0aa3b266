# SPDX-License-Identifier: Apache-2.0
#
# What is built lands in bin. The programs of the local cluster (Kubernetes, etcd, kwok, Prometheus) are built from source
# once per machine, into the user's cache folder; from nothing that takes 5 to 7 minutes on two cores.

GO       ?= go
DURATION ?= 0
# Cluster tests start whole clusters and wait for them half of the time: four packages keep two cores busy.
PARALLEL ?= 4
# Linking takes a quarter of the tests' CPU: half as much without cgo (a dependency would need the C linker) and without symbols.
LINK     ?= -ldflags=-s
LINTER   ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# No program or test needs C; only the race detector does.
export CGO_ENABLED ?= 0

# The root module's programs: every folder of cmd with a main package of its own.
PROGRAMS := $(patsubst cmd/%,bin/%,$(patsubst %/main.go,%,$(wildcard cmd/adapter/main.go cmd/scaler/main.go cmd/plimsoll/main.go)))

.PHONY: help
help: ## show this help
	@echo "usage: make TARGET [VARIABLE=value]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: $(PROGRAMS) bin/localcluster bin/kubectl-plimsoll bin/kubectl_complete-plimsoll ## build the programs into bin

# Go itself knows what is up to date.
.PHONY: $(PROGRAMS) bin/localcluster
$(PROGRAMS):
	$(GO) build -o $@ ./cmd/$(@F)
bin/localcluster:
	$(GO) build -C cmd/localcluster -o ../../bin/localcluster .

# With bin on the PATH: `kubectl plimsoll`, and its words in kubectl's completion.
bin/kubectl-plimsoll bin/kubectl_complete-plimsoll: | bin/plimsoll
	ln -sf plimsoll $@

.PHONY: components
components: bin/localcluster ## build the local cluster's programs, once per machine
	@bin/localcluster build >/dev/null

.PHONY: demo
demo: build components ## a shop's day, with an HPA alone and with Plimsoll; until Ctrl-C, or DURATION=5m
	bin/plimsoll demo --duration=$(DURATION)

# Its day has an end: DURATION=0, the default of demo, stands for six minutes here.
.PHONY: demo-clusters
demo-clusters: build components ## a hub and three members, one of which dies and comes back; or DURATION=10m
	bin/plimsoll demo clusters --duration=$(if $(filter 0,$(DURATION)),6m,$(DURATION))

# Collecting garbage is a sixth of the CPU of the tests' clusters, of the linker and of the tests; memory is not short.
.PHONY: test
test: export GOGC ?= 400
# The random cases of the properties are the same in every run, so that what fails has failed for its author; RAPID_SEED=0
# draws new ones.
test: export RAPID_SEED ?= 1
test: build components ## all tests, also those on local clusters; eight to twelve minutes on two cores
	@$(MAKE) --no-print-directory -j2 test-plimsoll test-localcluster

.PHONY: test-plimsoll
test-plimsoll:
	$(GO) test $(LINK) -p $(PARALLEL) -timeout 20m ./...

.PHONY: test-localcluster
test-localcluster:
	cd cmd/localcluster && $(GO) test $(LINK) -p 1 -timeout 15m ./...
	cd cmd/localcluster/hpadiff && $(GO) test $(LINK) -timeout 15m ./...

.PHONY: test-faults
test-faults: build components ## outages, restarts and kills under load, on local clusters
	$(GO) test -p 1 -count=1 -timeout 40m -tags faults -run '^TestFault' -v ./cmd/e2e/...

.PHONY: race
race: ## the tests that need no cluster, with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./...

.PHONY: bench
bench: ## the micro-benchmarks; the large ones: go run ./bench reads --help
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m ./...

.PHONY: generate
generate: ## regenerate what is generated from the API types
	$(GO) generate ./...

.PHONY: lint
lint: ## golangci-lint on both modules
	$(GO) vet ./...
	$(GO) run $(LINTER) run ./...
	$(GO) run $(LINTER) run --build-tags faults ./cmd/e2e/... # the tests of test-faults
	cd cmd/localcluster && $(GO) run $(LINTER) run ./...

.PHONY: verify
verify: generate lint ## what is generated is up to date, lint, formatting, import rules; each benchmark runs
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) test -count=1 -run '^Test(Imports|OnlyCommands)' .
	$(GO) test $(LINK) -run '^$$' -bench . -benchtime 1x $$(git grep -l '^func Benchmark' | xargs -n1 dirname | sort -u | sed 's,^,./,')
	@test -z "$$(git status --porcelain -- policy manifests scaler/nodegroups)" || { git status --short -- policy manifests scaler/nodegroups; echo "run make generate and commit the result"; exit 1; }

.PHONY: clean
clean: ## remove bin and out; local clusters go on (localcluster list, localcluster down)
	rm -rf bin out
