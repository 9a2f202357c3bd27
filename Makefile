# make demo      an update for a shipped kernel, installed and removed in a VM
# make test      every test, those in VMs included
# make packages  the .deb and .rpm of splicectl, in dist/
# make bench     times and memory of an update, cold and warm
# make bench-peers  the same beside a full build of the kernel, and kpatch-build where it is installed
# make corpus    how many real changes splice, each update loaded in a VM; hours, goes on where it was stopped
# make adversary hostile changes, each update beside a kernel built from the patched source; an hour, goes on where it was stopped
# make lint      gofmt, go vet and staticcheck
# make fuzz      every fuzz target, FUZZTIME (60s) each
#
# Each first installs from apt what is missing (ci/setup). Downloads are kept in $LIVESPLICE_DOWNLOADS, by default
# ~/.cache/livesplice/downloads.

GO ?= go
# Debian's go does not fetch the version that go.mod names unless it is told to.
GOTOOLCHAIN ?= auto
export GOTOOLCHAIN
# Tests of several kernels share one cache, which has more than livesplice keeps by default.
LIVESPLICE_CACHE_SIZE ?= 0
export LIVESPLICE_CACHE_SIZE
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

.PHONY: demo test packages bench bench-peers corpus adversary lint vet fuzz setup

demo: setup
	$(GO) run ./ci/demo

# Two packages at a time: each may run a VM with two emulated processors.
test: setup
	$(GO) test -count=1 -p 2 -timeout 60m ./...

packages: setup
	$(GO) run ./ci/packages -out dist

bench: setup
	$(GO) run ./ci/bench

bench-peers: setup
	$(GO) run ./ci/benchpeers

corpus: setup
	$(GO) run ./ci/corpus -out dist/corpus -doc docs/corpus.md

adversary: setup
	$(GO) run ./ci/adversary -minutes 60 -updates 500 -state dist/adversary -doc docs/adversary.md

lint: setup
	@files=$$(gofmt -l ci cmd internal kconfig kmod pipeline pkgfmt) && if [ -n "$$files" ]; then echo "not gofmt'ed:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.6.1 ./...

vet: lint

fuzz: setup
	ci/fuzz

setup:
	@ci/setup
