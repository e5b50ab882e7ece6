# The thin front of Meson: `make run` and `make test` do all the set-up they need.
BUILD ?= build
B     ?= all
PREFIX ?= /usr

.PHONY: all setup build console run stop test test-kernel test-peers bench fuzz lint deb mingw uninstall clean

all: setup build console

setup:
	@tools/setup build

$(BUILD)/build.ninja:
	@meson setup $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }; rm -f $(BUILD).log

build: setup $(BUILD)/build.ninja   ## the three programs; tests and benches build everything
	@ninja -C $(BUILD) hinomi hinomi-agent hinomi-server

console: setup
	@tools/build-console

run:            ## server, agent and practice endpoint on this machine
	@tools/run

test:           ## everything; ends with "N passed, N failed"
	@tests/run

test-kernel:    ## the sensors in a QEMU guest with Debian's 6.1 kernel
	@tools/setup build test kernel
	@$(MAKE) --no-print-directory build && ninja -C $(BUILD)
	@tests/kernel/run

test-peers:     ## against other people's implementations, fetched from PyPI
	@tests/peers/run

bench:          ## make bench B=sensor|codec|engine|latency|all
	@tools/setup build test bench
	@$(MAKE) --no-print-directory build && ninja -C $(BUILD)
	@bench/run $(B)

fuzz:           ## every fuzz target for FUZZ_SECONDS (60) each
	@tools/setup build test
	@fuzz/run

lint:
	@tools/setup build test
	@tools/lint

deb: all        ## dist/*.deb
	@packaging/build-deb $(BUILD) dist

mingw:          ## base, event, journal and wire for Windows
	@tools/setup build test
	@tools/mingw-check

uninstall:      ## everything `make run` left on this machine, packages excepted
	@tools/uninstall

clean:
	@rm -rf $(BUILD) build-* dist console/dist
