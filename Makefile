# aftersalesd. GNU make, not recursive. The two commands of a newcomer: make demo, make check.
#
#   make [all]      daemon and client in build/release
#   make demo       the main job on generated (or DATA=file.csv) requests, on a private bus
#   make replay-bpi2013, replay-helpdesk    other desks' event logs (DATA=file.csv), likewise
#   make check      every test; the last line is "N passed, N failed"
#   make lint       layering, headers, clang-tidy, cppcheck, format; make format mends the last
#   make prove      the long proofs, for MINUTES=60; docs/proof.md
#   make fuzz       each decoder for FUZZ_SECONDS=600
#   make sweep      every allocation and system call of the start and of every method fails; goes on where it was cut short
#   make asan       the tests under AddressSanitizer and UBSan
#   make bench      figures (SIZE=tickets, BENCH_DIR=where bases are kept); make figures puts them into docs
#   make man        writes the manual pages anew
#   make install    honours DESTDIR and prefix; make uninstall takes away what it has put there
#
# VARIANT=release|asan|tsan|clang|fuzz chooses the build; V=1 shows the commands.

VARIANT ?= release
CC_release = gcc
CC_asan    = gcc
CC_tsan    = gcc
CC_clang   = clang
CC_fuzz    = clang
CC         = $(CC_$(VARIANT))
BUILD      = build/$(VARIANT)

prefix      ?= /usr/local
bindir      ?= $(prefix)/bin
sbindir     ?= $(prefix)/sbin
docdir      ?= $(prefix)/share/doc/aftersalesd
mandir      ?= $(prefix)/share/man
sysconfdir  ?= /etc
# Where systemd, the bus and the shell look, whatever the prefix.
completionsdir ?= /usr/share/bash-completion/completions
dbusdatadir ?= /usr/share/dbus-1
unitdir     ?= /usr/lib/systemd/system
sysusersdir ?= /usr/lib/sysusers.d

# What it takes on Debian 12; "make demo" and "make check" install what is missing.
PACKAGES = gcc libc6-dev make pkg-config libsystemd-dev liblmdb-dev libyaml-dev libsmartcols-dev libjson-c-dev \
           libcsv-dev libgcrypt20-dev libcmocka-dev dbus tzdata python3 python3-jeepney
PACKAGES_CHECK = mandoc clang clang-format clang-tidy cppcheck valgrind strace lmdb-utils systemd systemd-container procps util-linux \
                 python3-hypothesis
# Fetched, not installed: that would make it the machine's own bus at the next start.
DBUS_BROKER = build/dbus-broker

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
           -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral -Wconversion \
           -Wno-sign-conversion -fno-common -Werror
CFLAGS_release = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_clang   = $(CFLAGS_release)
CFLAGS_tsan    = -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_fuzz    = $(CFLAGS_asan) -fsanitize=fuzzer-no-link
CFLAGS_asan    = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_release = -pie -Wl,-z,relro,-z,now
LDFLAGS_clang   = $(LDFLAGS_release)
LDFLAGS_asan    = -fsanitize=address,undefined
LDFLAGS_tsan    = -fsanitize=thread
LDFLAGS_fuzz    = $(LDFLAGS_asan)

DAEMON_LIBS = libsystemd lmdb yaml-0.1 libgcrypt json-c
# libcsv has no file for pkg-config.
DAEMON_LINK = $(call pkg,libs,$(DAEMON_LIBS)) -lcsv
CTL_LIBS    = libsystemd smartcols json-c
# Only asked for when something is built, so that the packages can be installed first.
pkg = $(shell pkg-config --$(1) $(2))

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS_$(VARIANT)) -Iinclude $(CFLAGS)

DAEMON_SOURCES = $(wildcard daemon/*.c daemon/*/*.c)
CTL_SOURCES    = $(wildcard ctl/*.c)
UNIT_SOURCES   = $(wildcard tests/unit/test-*.c)
TOOL_SOURCES   = $(wildcard tests/tools/*.c tests/replay/*.c tests/crash/crash.c) $(patsubst %,tests/bench/%.c,fill load echo)

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
DAEMON_OBJECTS = $(call object,$(DAEMON_SOURCES))
CTL_OBJECTS    = $(call object,$(CTL_SOURCES))
# Everything that a test can link: all but the two main functions.
DAEMON_LIBRARY = $(BUILD)/daemon.a
CTL_LIBRARY    = $(BUILD)/ctl.a
UNIT_TESTS     = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SOURCES))
TOOLS          = $(patsubst %.c,$(BUILD)/tests/%,$(notdir $(TOOL_SOURCES)))

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all demo check lint format asan bench install uninstall clean tests packages packages-check

all: $(BUILD)/aftersalesd $(BUILD)/aftersalesctl

# Changed flags rebuild everything.
$(BUILD)/flags: FORCE
	$(Q)mkdir -p $(BUILD)
	$(Q)echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS_$(VARIANT)) $(LDFLAGS)' | cmp -s - $@ || \
	  echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS_$(VARIANT)) $(LDFLAGS)' >$@
FORCE:

$(BUILD)/obj/daemon/%.o $(BUILD)/obj/tests/%.o: INCLUDES = -Idaemon
$(BUILD)/obj/ctl/%.o $(BUILD)/obj/tests/unit/test-ctl%.o: INCLUDES = -Ictl $(call pkg,cflags,$(CTL_LIBS))

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<

$(DAEMON_LIBRARY): $(filter-out $(BUILD)/obj/daemon/main.o,$(DAEMON_OBJECTS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(CTL_LIBRARY): $(filter-out $(BUILD)/obj/ctl/main.o,$(CTL_OBJECTS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

link = mkdir -p $(@D) && $(CC) $(LDFLAGS_$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

$(BUILD)/aftersalesd: $(BUILD)/obj/daemon/main.o $(DAEMON_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(DAEMON_LINK)

$(BUILD)/aftersalesctl: $(BUILD)/obj/ctl/main.o $(CTL_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(call pkg,libs,$(CTL_LIBS))

$(BUILD)/tests/test-ctl%: $(BUILD)/obj/tests/unit/test-ctl%.o $(CTL_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(call pkg,libs,$(CTL_LIBS) cmocka)

$(BUILD)/tests/test-%: $(BUILD)/obj/tests/unit/test-%.o $(DAEMON_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(DAEMON_LINK) $(call pkg,libs,cmocka)

$(BUILD)/tests/%: $(BUILD)/obj/tests/tools/%.o $(DAEMON_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(DAEMON_LINK)

$(BUILD)/tests/%: $(BUILD)/obj/tests/bench/%.o $(DAEMON_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(DAEMON_LINK)

$(BUILD)/tests/peer-disk: PEER_LINK =
$(BUILD)/tests/peer-lmdb: PEER_LINK = $(call pkg,libs,lmdb)
$(BUILD)/tests/peer-sqlite: PEER_LINK = $(call pkg,libs,sqlite3)
$(BUILD)/tests/peer-postgres: PEER_LINK = $(call pkg,libs,libpq)
$(BUILD)/obj/tests/bench/peer-postgres.o: INCLUDES = $(call pkg,cflags,libpq)
$(BUILD)/tests/peer-lmdb $(BUILD)/tests/peer-sqlite: $(BUILD)/obj/tests/bench/peer.o
$(BUILD)/tests/peer-%: $(BUILD)/obj/tests/bench/peer-%.o
	$(call say,LD,$@)
	$(Q)$(link) $(PEER_LINK)

$(BUILD)/tests/crash: $(BUILD)/obj/tests/crash/crash.o $(BUILD)/obj/tests/crash/disk.o $(DAEMON_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) $(DAEMON_LINK)

$(BUILD)/tests/recorder.so: tests/crash/recorder.c tests/crash/log.h
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -fPIC -shared -o $@ $<

$(BUILD)/tests/failing.so: tests/sweep/failing.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -fPIC -shared -o $@ $<

$(BUILD)/tests/fuzz-%: $(BUILD)/obj/tests/fuzz/fuzz-%.o $(DAEMON_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(link) -fsanitize=fuzzer $(DAEMON_LINK)

$(BUILD)/tests/backtest: $(addprefix $(BUILD)/obj/,tests/replay/backtest.o daemon/parts/forecast.o daemon/parts/plan.o)
	$(call say,LD,$@)
	$(Q)$(link) -lm

$(BUILD)/tests/%: $(BUILD)/obj/tests/replay/%.o
	$(call say,LD,$@)
	$(Q)$(link) $(call pkg,libs,libsystemd json-c)

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d)

tests: $(UNIT_TESTS) $(TOOLS) $(BUILD)/tests/recorder.so $(BUILD)/tests/failing.so

# ---- the two commands of a newcomer ----

packages:
	$(Q)sh tests/packages.sh $(PACKAGES)
packages-check: packages $(DBUS_BROKER)
	$(Q)sh tests/packages.sh $(PACKAGES_CHECK)

# Without a network there is none, and its tests are skipped.
$(DBUS_BROKER):
	$(call say,GET,dbus-broker)
	$(Q)mkdir -p $@.part && cd $@.part && apt-get download -qq dbus-broker 2>/dev/null && dpkg-deb -x dbus-broker_*.deb . && \
	  cd - >/dev/null && mv $@.part $@ || rm -rf $@.part

# These run make again so that the packages are there before anything asks pkg-config.
demo: packages
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)BUILD=$(BUILD) DATA=$(DATA) bash tests/replay/demo.sh

# The logs of other companies' service desks.
AFTERSALES_DATA ?= ../shared/data
BOSTON       = $(wildcard $(AFTERSALES_DATA)/boston311/example_2017.csv)
LOG_bpi2013  = $(wildcard $(AFTERSALES_DATA)/bpi2013_incidents/example.csv)
LOG_helpdesk = $(wildcard $(AFTERSALES_DATA)/helpdesk/example.csv)
PARTS_carparts = $(wildcard $(AFTERSALES_DATA)/spare_carparts/example.csv)
PARTS_raf      = $(wildcard $(AFTERSALES_DATA)/spare_raf/example.csv)
# Data, its first column of months, months of the average, factor.
backtest = $(if $(PARTS_$(1)),$(PYTHON) tests/replay/backtest.py $(BUILD)/tests/backtest $(PARTS_$(1)) $(2),echo skipped: no spare_$(1) data here)
replay = $(if $(2),bash tests/replay/log.sh $(1) $(2),echo skipped: no $(1) data here)
.PHONY: replay-bpi2013 replay-helpdesk
replay-bpi2013 replay-helpdesk: replay-%: packages
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)BUILD=$(BUILD) $(call replay,$*,$(or $(DATA),$(LOG_$*)))

check: packages-check
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)$(MAKE) --no-print-directory VARIANT=clang all tests
	$(Q)$(MAKE) --no-print-directory VARIANT=asan all tests
	$(Q)$(MAKE) --no-print-directory VARIANT=tsan $(THREADED)
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZERS:%=build/fuzz/tests/%)
	$(Q)$(MAKE) --no-print-directory run-check

# What has a thread.
THREADED = $(patsubst %,build/tsan/tests/test-%,kv-layers wal)

PYTHON = /usr/bin/python3
# A suite is a name and a command; tests/run.py adds up what they say.
units  = $(foreach t,$(sort $(UNIT_TESTS)),'unit $(1)$(notdir $(t))=$(subst $(BUILD)/,$(2)/,$(t))')

# What the bus daemon has a part in.
OF_THE_BUS = $(patsubst %,test_%,access changes clients completion direct input introspection jobs monitor pages service_manager turns)

.PHONY: run-check run-asan
run-check:
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/run.py \
	  'lint layers=sh tests/lint/layers.sh' \
	  'lint headers=sh tests/lint/headers.sh' \
	  'lint format=$(MAKE) --no-print-directory lint-format' \
	  '!lint cppcheck=$(MAKE) --no-print-directory lint-cppcheck' \
	  '!lint clang-tidy=$(MAKE) --no-print-directory lint-tidy' \
	  $(call units,,$(BUILD)) $(call units,asan ,build/asan) \
	  $(foreach t,$(THREADED),'unit tsan $(notdir $(t))=env SEEDS=50 $(t)') \
	  'fuzz=$(PYTHON) -m unittest discover -s tests/fuzz' \
	  'faults=$(PYTHON) -m unittest discover -s tests/faults' \
	  'power cuts=$(PYTHON) -m unittest discover -s tests/crash -p test_crash.py' \
	  'power cuts under the program=$(PYTHON) -m unittest discover -s tests/crash -p test_programs.py' \
	  'failing allocations and system calls=$(PYTHON) -m unittest discover -s tests/sweep' \
	  'model=$(PYTHON) -m unittest discover -s tests/model' \
	  'days=$(PYTHON) -m unittest discover -s tests/days' \
	  'calendars against a reference=$(PYTHON) tests/test_calendar.py' \
	  'configuration, YAML test suite=$(PYTHON) tests/test_yaml_suite.py' \
	  'rows of files=$(PYTHON) tests/test_rows.py' \
	  'manual pages=$(PYTHON) tests/test_man.py' \
	  'bus=$(PYTHON) -m unittest discover -s tests/bus' \
	  'bus asan=env BUILD=build/asan $(PYTHON) -m unittest discover -s tests/bus' \
	  'bus past the bus=env DIRECT=1 $(PYTHON) -m unittest discover -s tests/bus' \
	  'bus over dbus-broker=env BUS=dbus-broker PYTHONPATH=tests/bus $(PYTHON) -m unittest $(OF_THE_BUS)' \
	  'service=$(PYTHON) -m unittest discover -s tests/service' \
	  '!floods=$(PYTHON) -m unittest discover -s tests/floods' \
	  '!floods over dbus-broker=env BUS=dbus-broker $(PYTHON) -m unittest discover -s tests/floods' \
	  '!scale=$(PYTHON) -m unittest discover -s tests/scale' \
	  'demo=bash tests/replay/demo.sh' \
	  'demo boston311=$(if $(BOSTON),env DATA=$(BOSTON) bash tests/replay/demo.sh,echo skipped: no boston311 data here)' \
	  'replay bpi2013=$(call replay,bpi2013,$(LOG_bpi2013))' \
	  'replay helpdesk=$(call replay,helpdesk,$(LOG_helpdesk))' \
	  'plans of carparts=$(call backtest,carparts,1 2 1)' \
	  'plans of raf=$(call backtest,raf,4 2 1)'

# Each target so many seconds; what it has found interesting is kept in build/fuzz/corpus.
FUZZ_SECONDS ?= 600
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
.PHONY: fuzz run-fuzz
fuzz: packages-check
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz run-fuzz
run-fuzz: $(FUZZERS:%=$(BUILD)/tests/%)
	$(Q)for f in $(FUZZERS); do mkdir -p $(BUILD)/corpus/$$f && \
	  $(BUILD)/tests/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	  -artifact_prefix=$(BUILD)/$$f- -print_final_stats=1 $(BUILD)/corpus/$$f \
	  $$(ls -d tests/fuzz/seeds/$$f 2>/dev/null) || exit 1; done

# The long proofs, piece by piece for so many minutes; docs/proof.md is what they have shown.
MINUTES ?= 60
.PHONY: prove
prove: packages-check
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZERS:%=build/fuzz/tests/%)
	$(Q)$(PYTHON) tests/prove/prove.py run $(MINUTES)

.PHONY: sweep
sweep: packages-check
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/sweep/sweep.py

asan: packages-check
	$(Q)$(MAKE) --no-print-directory VARIANT=asan all tests
	$(Q)$(MAKE) --no-print-directory VARIANT=asan run-asan
run-asan:
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/run.py $(call units,,$(BUILD)) \
	  'bus=$(PYTHON) -m unittest discover -s tests/bus'

# ---- lint ----

C_FILES = $(wildcard include/*/*.h daemon/*.[ch] daemon/*/*.[ch] ctl/*.[ch] tests/*/*.[ch])
.PHONY: lint-format lint-cppcheck lint-tidy
lint: lint-format lint-cppcheck lint-tidy
	$(Q)sh tests/lint/layers.sh
	$(Q)sh tests/lint/headers.sh

format:
	$(Q)clang-format -i $(C_FILES)
lint-format:
	$(Q)clang-format --dry-run -Werror $(C_FILES)

# cppcheck does not know the cleanup attribute; leaks are for the sanitizers and valgrind to find.
lint-cppcheck:
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=memleak --suppress=memleakOnRealloc \
	  --suppress=resourceLeak --error-exitcode=2 -Iinclude -Idaemon -Ictl -j2 daemon ctl

TIDY_FLAGS = -std=gnu17 -D_GNU_SOURCE -Iinclude -Idaemon -Ictl $(call pkg,cflags,$(CTL_LIBS))
lint-tidy:
	$(Q)printf '%s\n' $(DAEMON_SOURCES) $(CTL_SOURCES) | \
	  xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- $(TIDY_FLAGS) 2>/dev/null' sh

# ---- manual pages, figures and installation ----

# From their prose and what the programs say of themselves.
.PHONY: man
man: all
	$(Q)$(PYTHON) docs/man/generate.py $(BUILD) docs/man

# What the daemon is measured against, as far as it is there; never a need of the tests.
has = $(shell pkg-config --exists $(1) && echo $(2))
PEERS = $(patsubst %,$(BUILD)/tests/peer-%,disk lmdb $(call has,sqlite3,sqlite) $(call has,libpq,postgres))
.PHONY: peers
peers: $(PEERS)

# See docs/performance.md for the variables.
BENCH_DIR ?= /var/tmp/aftersales-bench
.PHONY: figures
bench: packages
	$(Q)sh tests/bench/packages.sh
	$(Q)$(MAKE) --no-print-directory all tests peers
	$(Q)BUILD=$(BUILD) BENCH_DIR=$(BENCH_DIR) SIZE=$(SIZE) SMALL=$(SMALL) STORM=$(STORM) ROUNDS=$(ROUNDS) \
	  $(PYTHON) tests/bench/run.py $(SECTIONS)
figures:
	$(Q)$(PYTHON) tests/bench/report.py $(BENCH_DIR)/report-*.json >docs/figures.md

# What is installed: mode, source, destination. A source *.in has its @paths@ filled in. Man pages and completions
# are whatever there is.
installed = \
  755|$(BUILD)/aftersalesd|$(sbindir)/aftersalesd \
  755|$(BUILD)/aftersalesctl|$(bindir)/aftersalesctl \
  644|conf/org.aftersales1.conf|$(dbusdatadir)/system.d/org.aftersales1.conf \
  644|conf/org.aftersales1.service.in|$(dbusdatadir)/system-services/org.aftersales1.service \
  644|conf/org.aftersales1.xml|$(dbusdatadir)/interfaces/org.aftersales1.xml \
  644|systemd/aftersalesd.sysusers|$(sysusersdir)/aftersalesd.conf \
  $(foreach u,$(wildcard systemd/*.service.in),644|$(u)|$(unitdir)/$(notdir $(u:.in=))) \
  $(foreach u,$(wildcard systemd/*.timer),644|$(u)|$(unitdir)/$(notdir $(u))) \
  $(foreach d,README.md $(wildcard docs/*.md),644|$(d)|$(docdir)/$(notdir $(d))) \
  $(foreach m,$(wildcard docs/man/*.[158]),644|$(m)|$(mandir)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m))) \
  $(foreach c,$(wildcard ctl/completion/*),644|$(c)|$(completionsdir)/$(notdir $(c)))
# The sysadmin's own: never overwritten, never removed.
CONFIG = $(sysconfdir)/aftersalesd/aftersalesd.yaml

mode        = $(word 1,$(subst |, ,$(1)))
source      = $(word 2,$(subst |, ,$(1)))
destination = $(DESTDIR)$(word 3,$(subst |, ,$(1)))
fill = sed -e 's|@bindir@|$(bindir)|g' -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' \
  -e 's|@docdir@|$(docdir)|g'
define install_one
	$(call say,INSTALL,$(call destination,$(1)))
	$(Q)install -d $(dir $(call destination,$(1)))
	$(Q)$(if $(filter %.in,$(call source,$(1))),text=$$($(fill) $(call source,$(1))) && printf '%s\n' "$$text" | \
	  install -m $(call mode,$(1)) /dev/stdin,install -m $(call mode,$(1)) $(call source,$(1))) $(call destination,$(1))

endef

install: all
	$(foreach i,$(installed),$(call install_one,$(i)))
	$(Q)test -e $(DESTDIR)$(CONFIG) || install -Dm644 conf/aftersalesd.yaml $(DESTDIR)$(CONFIG)
	$(Q)test -n '$(DESTDIR)' || printf '%s\n' 'Now, as root: systemd-sysusers' \
	  '  systemctl reload dbus; systemctl daemon-reload' '  systemctl enable --now aftersalesd'

# Takes away what install has put there and nothing else: configuration, state and users stay.
uninstall:
	$(Q)rm -f $(foreach i,$(installed),$(call destination,$(i)))
	$(Q)rmdir $(DESTDIR)$(docdir) 2>/dev/null || true

clean:
	rm -rf build
