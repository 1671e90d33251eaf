# sealedbus: `make demo` and `make test` do everything on a fresh Debian 12. See README.md.
VERSION   := 0.1.0
PREFIX    ?= /usr/local
ifeq ($(origin CC),default)
CC        := gcc
endif
# As many jobs as there are cores, unless told otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
# A build says one line per file; V=1 shows the commands.
V         ?=
quiet     := $(if $(V),,@)
SAN       ?=
NOCIPHER  ?=
FAULTS    ?=
empty     :=
comma     := ,
config    := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(NOCIPHER),-nocipher)$(if $(FAULTS),-faults)
B         := build/$(config)

warnings  := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
             -Wwrite-strings -Wcast-qual -Wformat=2 -Wvla -Wundef
CFLAGS    ?= -O2 -g
cflags    := -std=c11 -D_POSIX_C_SOURCE=200809L -I. $(CFLAGS) $(warnings) -fno-common -fstack-protector-strong \
             -pthread -MMD -MP -DSB_VERSION='"$(VERSION)"' $(if $(CI),-Werror) \
             $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
             $(if $(NOCIPHER),-DSB_BENCH_NOCIPHER) $(if $(FAULTS),-DSB_FAULTS)
ldflags   := -pthread $(if $(SAN),-fsanitize=$(SAN),-Wl,-z,relro,-z,now)

packages  := gcc make pkg-config libmicrohttpd-dev libgnutls28-dev libcjson-dev check libsqlite3-dev libssl-dev python3 openssl \
             curl jq xxd ca-certificates
# One archive per layer; a program links its own layer and those below it, in this order.
base_src   := $(wildcard server/base/*.c)
crypto_src := $(wildcard crypto/*.c)
store_src  := $(wildcard storage/*.c)
engine_src := $(wildcard server/engine/*.c)
api_src    := $(wildcard api/*.c) $(wildcard api/template/*.c)
server_src := $(filter-out server/main.c,$(wildcard server/*.c))

obj = $(patsubst %.c,$(B)/%.o,$(1))
libs_base   := $(B)/libbase.a
libs_crypto := $(B)/libcrypto_sb.a $(libs_base)
libs_store  := $(B)/libstore.a $(libs_base)
libs_engine := $(B)/libengine.a $(B)/libstore.a $(libs_crypto)
libs_api    := $(B)/libapi.a $(libs_engine)
libs_server := $(B)/libserver.a $(libs_api)
sys_base    :=
sys_crypto  := -lcrypto
sys_store   := -lsqlite3
sys_engine  := -lsqlite3 -lcrypto -lm
sys_api     := -lcjson $(sys_engine)
sys_server  := -lmicrohttpd -lgnutls $(sys_api)

layers := base crypto store engine api server
# UNIT="store engine" chooses the layers whose unit tests are run.
UNIT   ?= $(layers)
unit_bin := $(foreach l,$(UNIT),$(patsubst tests/unit/$(l)/%.c,$(B)/tests/$(l)/%,$(wildcard tests/unit/$(l)/test_*.c)))

.PHONY: all deps demo run test unit corpus e2e fault lint tidy bench clients oav replay fuzz fuzz-build valgrind install clean
all: deps
	@$(MAKE) --no-print-directory $(B)/sealedbus
	@mkdir -p build && ln -sf $(config)/sealedbus build/sealedbus

# Only what is missing is installed, with sudo when not root.
deps:
	@tests/lib/deps.sh $(packages)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(quiet)$(CC) $(cflags) $(if $(filter tests/%,$<),,-include server/base/banned.h) -c -o $@ $<

# Names are written out, so that a wrong-direction call fails at link time of that layer's own tests.
$(B)/libbase.a:      $(call obj,$(base_src))
$(B)/libcrypto_sb.a: $(call obj,$(crypto_src))
$(B)/libstore.a:     $(call obj,$(store_src))
$(B)/libengine.a:    $(call obj,$(engine_src))
$(B)/libapi.a:       $(call obj,$(api_src))
$(B)/libserver.a:    $(call obj,$(server_src))
$(B)/lib%.a:
	@rm -f $@ && ar rcs $@ $^

$(B)/sealedbus: $(B)/server/main.o $(libs_server)
	@echo "  LINK  $@"
	$(quiet)$(CC) $(ldflags) -o $@ $^ $(sys_server)

define unit_rule
$(B)/tests/$(1)/%: $(B)/tests/unit/$(1)/%.o $(B)/tests/unit/main.o $$(libs_$(1))
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$$(quiet)$$(CC) $$(ldflags) -o $$@ $$^ $$(shell pkg-config --libs check 2>/dev/null) $$(sys_$(1))
endef
$(foreach l,$(layers),$(eval $(call unit_rule,$(l))))
.SECONDARY:

unit: deps
	@$(MAKE) --no-print-directory $(unit_bin)
	@tests/lib/run-unit.sh $(unit_bin)

# A fuzz target is tests/fuzz/NAME.c with a corpus in fixtures/corpus/NAME; `make test` replays the corpora.
fuzz_targets := $(filter-out standalone,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
corpus_bin := $(patsubst %,$(B)/corpus/%,$(fuzz_targets))
$(B)/corpus/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/standalone.o $(libs_api)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(quiet)$(CC) $(ldflags) -o $@ $^ $(sys_api)
corpus: deps
	@$(MAKE) --no-print-directory $(corpus_bin)
	@for t in $(fuzz_targets); do printf '%s: ' $$t; $(B)/corpus/$$t fixtures/corpus/$$t/* || exit 1; done
FUZZ_SECONDS ?= 60
fuzz_san := fuzzer-no-link,address,undefined
fuzz_bin := $(patsubst %,$(B)/fuzz/%,$(fuzz_targets))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(libs_api)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(quiet)$(CC) $(ldflags) -fsanitize=fuzzer -o $@ $^ $(sys_api)
fuzz-build:
	@$(MAKE) --no-print-directory $(fuzz_bin)
fuzz: deps
	@tests/lib/deps.sh clang libclang-rt-14-dev
	@$(MAKE) --no-print-directory CC=clang SAN=$(fuzz_san) fuzz-build
	@tests/lib/fuzz.sh $(FUZZ_SECONDS) build/clang-$(subst $(comma),-,$(fuzz_san))/fuzz $(fuzz_targets)

e2e: all
	@SEALEDBUS="$(CURDIR)/$(B)/sealedbus" python3 tests/e2e/run.py $(E2E)

# Dies or fails at every commit and every operation of a scenario, each time once, and looks at what a restart finds.
fault: deps
	@$(MAKE) --no-print-directory FAULTS=1 build/$(notdir $(CC))-faults/sealedbus
	@SEALEDBUS="$(CURDIR)/build/$(notdir $(CC))-faults/sealedbus" E2E_TIMEOUT=600 python3 tests/e2e/run.py durability.test_fault

test: deps
	@tests/lib/test.sh $(MAKE)

demo: all
	@SEALEDBUS="$(CURDIR)/$(B)/sealedbus" tests/demo/demo.sh

run: all
	@build/sealedbus

bench_bin := $(patsubst %,build/bench/%,load bare_sqlite bare_rsa bare_https)
build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(quiet)$(CC) -O2 -Wall -Wextra -pthread -o $@ $< -lssl -lcrypto -lsqlite3 -lmicrohttpd
# BENCH="start send seal backlog polls vault deploy" chooses; a figure that misses its target ends it with 1. README=1 writes the tables into README.md.
bench: all
	@$(MAKE) --no-print-directory $(bench_bin)
	@$(MAKE) --no-print-directory NOCIPHER=1 build/$(notdir $(CC))-nocipher/sealedbus
	@SEALEDBUS="$(CURDIR)/$(B)/sealedbus" SEALEDBUS_NOCIPHER="$(CURDIR)/build/$(notdir $(CC))-nocipher/sealedbus" \
	    BENCH_BIN="$(CURDIR)/build/bench" $(if $(README),BENCH_README=README.md) python3 tests/bench/bench.py $(BENCH)

# Real clients over HTTPS. CLIENTS="tour az_vault" chooses the suites.
clients_packages := python3-venv libnss-myhostname
clients: all
	@tests/lib/deps.sh $(clients_packages) $(if $(shell command -v npm),,nodejs npm)
	@tests/clients/install.sh build/clients az venv node go
	@SEALEDBUS="$(CURDIR)/$(B)/sealedbus" python3 tests/clients/run.py $(CLIENTS)

# What the clients of CLIENTS send and get, written down on the way and held against the services' specifications (in ../shared).
oav: all
	@tests/lib/deps.sh $(clients_packages) $(if $(shell command -v npm),,nodejs npm)
	@tests/clients/install.sh build/clients az venv node go oav
	@rm -rf build/oav
	@SEALEDBUS="$(CURDIR)/$(B)/sealedbus" CLIENTS_RECORD="$(CURDIR)/build/oav/traffic" python3 tests/clients/run.py $(CLIENTS)
	@CLIENTS='$(CLIENTS)' python3 tests/clients/oav.py

# RSA keys come from a stock there (tests/valgrind/quickkeys.c): making them under valgrind would take hours.
quickkeys := build/quickkeys
valgrind: deps
	@tests/lib/deps.sh valgrind
	@$(MAKE) --no-print-directory $(unit_bin) $(quickkeys)/quickkeys.so $(patsubst %,$(quickkeys)/rsa-%.pem,2048 3072 4096)
	@QUICKKEYS=$(quickkeys) CK_FORK=no tests/lib/run-unit.sh --valgrind $(unit_bin)

$(quickkeys)/quickkeys.so: tests/valgrind/quickkeys.c
	@mkdir -p $(@D)
	$(quiet)$(CC) -std=c11 -O2 $(warnings) -shared -fPIC -o $@ $< -lcrypto

$(quickkeys)/rsa-%.pem:
	@mkdir -p $(@D)
	@echo "  KEYS  $@"
	@for i in $$(seq $(if $(filter 2048,$*),48,6)); do openssl genrsa $* 2>/dev/null; done > $@.new && mv $@.new $@

# Recorded traffic of the real services against a fresh emulator per recording; a miss that tests/replay/misses.txt does not list fails.
replay: all
	@tests/lib/deps.sh python3-yaml
	@SEALEDBUS="$(CURDIR)/$(B)/sealedbus" $$(python3 -c 'import yaml' 2>/dev/null && echo python3 || echo /usr/bin/python3) \
	    tests/replay/run.py

lint_packages := clang clang-format clang-tidy cppcheck
sources = $(shell git ls-files -co --exclude-standard -- 'server/*.c' 'crypto/*.c' 'storage/*.c' 'api/*.c')
headers = $(shell git ls-files -co --exclude-standard -- 'server/*.h' 'crypto/*.h' 'storage/*.h' 'api/*.h')
in_tests = $(shell git ls-files -co --exclude-standard -- 'tests/*.[ch]')
lint: deps
	@tests/lib/deps.sh $(lint_packages)
	@mkdir -p build
	@tests/lint/layers.sh
	@tests/lint/bans.sh
	@clang-format --dry-run -Werror $(sources) $(headers) $(in_tests)
	@cppcheck -q --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr -I. -j2 \
	    --suppress=missingIncludeSystem --suppress=varFuncNullUB $(sources)
	@echo "lint: clean"

# One file a run: clang-tidy 14 mistakes va_list use when it is given several.
tidy: deps
	@tests/lib/deps.sh $(lint_packages)
	@printf '%s\n' $(sources) | xargs -P 2 -I{} clang-tidy --quiet {} -- -std=c11 -D_POSIX_C_SOURCE=200809L -I. \
	    -DSB_VERSION='"$(VERSION)"'

# Not every shell expands the ~ of PREFIX=~/.local.
bindir = $(DESTDIR)$(patsubst ~/%,$(HOME)/%,$(PREFIX))/bin
install: all
	install -d "$(bindir)"
	install -s -m 0755 $(B)/sealedbus "$(bindir)/sealedbus"

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
