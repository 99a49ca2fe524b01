# One command for each thing that people do here. "make help" lists them.
# Works with GNU make 4.3 and any /bin/sh. Packages come from wherever this machine's pip is set up to look.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Compiled modules are kept, in a folder that "make clean" takes away: without them every start takes seconds longer.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX ?= $(CURDIR)/build/pycache

VENV    := .venv
BIN     := $(VENV)/bin
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3
PIP     := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The test run as a whole takes minutes; one test that hangs must not take for ever.
# Three workers for two cores, since tests wait for phones, browsers and Asterisk; a file of tests to each in turn, the longest first (tests/order.py):
# so all come to their end together.
PYTEST_OPTIONS ?= --timeout=300 --numprocesses=3 --dist=loadfile --no-loadscope-reorder
# "program:Debian package": what real-client tests run, and what the benchmarks run besides.
TEST_TOOLS  := tftp:tftp-hpa atftp:atftp curl:curl initdb:postgresql sipp:sip-tester baresip:baresip-core linphonec:linphone-cli dnsmasq:dnsmasq-base kea-dhcp4:kea-dhcp4-server dhcpd:isc-dhcp-server pdffonts:poppler-utils ip:iproute2 udhcpc:udhcpc chromium:chromium
BENCH_TOOLS := gcc:gcc nginx:nginx-light in.tftpd:tftpd-hpa dnsmasq:dnsmasq-base

# What instruction sheets are printed with: a layout library and fonts, Debian packages without a program of their own.
SHEET_PACKAGES := libpangoft2-1.0-0 fonts-noto-core fonts-dejavu-core

# Which PBX "make run" keeps in lockstep. Given on the command line or as PROVISIONER_PBX it goes to the program as it is.
ifdef PBX
RUN_PBX := $(PBX)
else ifdef PROVISIONER_PBX
RUN_PBX := $(PROVISIONER_PBX)
else
RUN_PBX :=
endif

.PHONY: help run test durations storm check bench docs clean format tools-test tools-sheets tools-bench

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/installed-run tools-sheets ## Set everything up, Asterisk too, and serve. PBX=none leaves the PBX out. PROVISIONER_* go to the program.
	@set -e; pbx='$(RUN_PBX)'; \
	if [ -n "$$pbx" ]; then PROVISIONER_PBX="$$pbx"; export PROVISIONER_PBX; fi; \
	$(BIN)/provisioner init; \
	$(BIN)/provisioner pbx install --if-bundled || { echo "Without a PBX: make run PBX=none" >&2; exit 1; }; \
	$(BIN)/provisioner doctor > $(VENV)/doctor.txt || true; \
	awk '/^(WARN|FAIL)/ && !/^......part / {print; told = 1; next} told && /^ *->/ {print} {told = 0}' $(VENV)/doctor.txt >&2; \
	if grep -q '^FAIL  port' $(VENV)/doctor.txt; then \
	  echo "The server was not started: a port that it needs is taken or not allowed, see above." >&2; exit 1; \
	fi; \
	exec $(BIN)/provisioner serve

test: $(VENV)/installed-test tools-test tools-sheets ## Set everything up; check style, types and catalogue; run every test.
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/provisioner check
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS)

durations: $(VENV)/installed-test tools-test tools-sheets ## Run every test and keep what each file took: the longest come first from then on.
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS) --keep-durations

storm: $(VENV)/installed-test tools-test ## Break everything between server and PBX at random moments, each fault 20 times, under 200 phones; FAULT_SEED plays a run again.
	@FAULT_SEED=$${FAULT_SEED:-random} FAULT_ROUNDS=21 $(BIN)/python -m pytest --timeout=900 -m storm -rP tests/asterisk/test_faults.py

check: $(VENV)/installed-test ## Check format, style, types, catalogue, architecture and documentation.
	@failed=; \
	step() { echo "== $$*" >&2; "$$@" || failed="$$failed\n  $$*"; }; \
	step $(BIN)/ruff format --check --quiet .; \
	step $(BIN)/ruff check --quiet .; \
	step $(BIN)/mypy; \
	step $(BIN)/provisioner check; \
	step $(BIN)/python docs/generate.py --check; \
	step $(BIN)/python -m pytest $(PYTEST_OPTIONS) tests/arch; \
	if [ -n "$$failed" ]; then printf "These checks failed:$$failed\n" >&2; exit 1; fi

format: $(VENV)/installed-test ## Put the code into its format.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-run tools-bench ## Play boot storms against this server and its peers; half an hour or more.
	$(BIN)/python -m bench

docs: $(VENV)/installed-run ## Write docs/reference/ anew from the code.
	$(BIN)/python docs/generate.py

clean: ## Take away what was built. The data folder (var/) stays.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage bench/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- Set-up -----------------------------------------------------------------------------------------------------------------

# Both stamps are newer than pyproject.toml as long as it does not change; then pip brings the environment up to date.
$(VENV)/installed-run: pyproject.toml
	@$(MAKE) --no-print-directory $(BIN)/python
	@echo "Installing the server into $(VENV) ..." >&2
	@$(PIP) install --editable . || { echo "pip could not install the server: see above. Does this machine reach its package index?" >&2; exit 1; }
	@touch $@

$(VENV)/installed-test: pyproject.toml
	@$(MAKE) --no-print-directory $(BIN)/python
	@echo "Installing the server, its tests and its linters into $(VENV) ..." >&2
	@$(PIP) install --editable '.[test,lint]' || { echo "pip could not install the tests: see above. Does this machine reach its package index?" >&2; exit 1; }
	@touch $@ $(VENV)/installed-run

$(BIN)/python:
	@set -e; \
	for name in $(PYTHONS); do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
	  echo "Python 3.11 or later is missing. On Debian 12, Ubuntu 24.04 or later: apt-get install python3 python3-venv" >&2; exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing python3-venv ..." >&2; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null; \
	  else \
	    echo "Python's venv is missing. As root: apt-get install python3-venv" >&2; exit 1; \
	  fi; \
	fi; \
	$$python -m venv $(VENV)

# $(call install-tools,pairs,what is left out without them)
define install-tools
set -e; PATH="$$PATH:/usr/sbin:$$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)"; \
missing=; programs=; \
for pair in $(1); do \
  command -v "$${pair%%:*}" >/dev/null || { missing="$$missing $${pair#*:}"; programs="$$programs $${pair%%:*}"; }; \
done; \
[ -n "$$missing" ] || exit 0; \
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
  echo "Installing$$missing ..." >&2; \
  DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; \
  apt-get install -qq -y --no-install-recommends $$missing >/dev/null 2>&1 || \
  { apt-get update -qq >/dev/null 2>&1 && apt-get install -qq -y --no-install-recommends $$missing >/dev/null 2>&1; } || \
  echo "apt-get could not install$$missing. $(2)" >&2; \
else \
  echo "Missing programs:$$programs. As root: apt-get install$$missing. $(2)" >&2; \
fi
endef

tools-test:
	@$(call install-tools,$(TEST_TOOLS),Tests that need them fail and name them.)

tools-sheets:
	@set -e; command -v dpkg-query >/dev/null || exit 0; missing=; \
	for package in $(SHEET_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then \
	  echo "Installing$$missing ..." >&2; DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; \
	  apt-get install -qq -y --no-install-recommends $$missing >/dev/null 2>&1 || \
	  { apt-get update -qq >/dev/null 2>&1 && apt-get install -qq -y --no-install-recommends $$missing >/dev/null 2>&1; } || \
	  echo "apt-get could not install$$missing. Instruction sheets are made as HTML, not as PDF." >&2; \
	else \
	  echo "Missing:$$missing. As root: apt-get install$$missing. Until then instruction sheets are made as HTML, not as PDF." >&2; \
	fi

tools-bench:
	@$(call install-tools,$(BENCH_TOOLS),Scenarios that need them are skipped.)
