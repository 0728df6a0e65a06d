# The two commands are `make run` and `make test`; `make help` lists the rest. Written for GNU make 3.81 and newer.

SHELL := /bin/sh
PORT ?= 8000
VENV ?= .venv
BENCH_VENV ?= .venv-bench
ARGS ?=

PY := $(VENV)/bin/python
DEMO_FILE := $(CURDIR)/instance/demo.sqlite
DEMO := LEDGER_DEMO=1 LEDGER_DATABASE_URL="sqlite:///$(DEMO_FILE)"
# Migrates, then loads the demo; two commands in one process, for importing the application takes a second or two.
PREPARE := $(DEMO) $(PY) -c 'import sys; from flask.cli import cli; \
	cli.main(["db", "upgrade"], standalone_mode=False); cli.main(["demo", "load", *sys.argv[1:]])'
# Byte code is written when a module is first imported: compiling all of it beforehand takes longer.
PIP := $(PY) -m pip install -qq --disable-pip-version-check --no-input --no-compile

# The newest thing called python3 is not always new enough; another one beside it may be.
FIND_PYTHON := for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; done

# $(call apt,PACKAGES,SENTENCE): Debian as root installs the packages; elsewhere the sentence says what to do.
apt = if [ -e /etc/debian_version ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "Installing $(1) by apt-get."; \
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(1); } \
	</dev/null >/dev/null 2>&1 || { echo "apt-get could not install $(1). $(2)" >&2; exit 1; }; \
	else echo "$(2)" >&2; exit 1; fi

.PHONY: help run demo-reset test bench check format lock programs clean

help:
	@echo "make run         the demo on http://127.0.0.1:$(PORT) (another port: make run PORT=8001)"
	@echo "make demo-reset  throw the demo's database away and load it anew"
	@echo "make test        everything: make check, then all tests (some: make test ARGS='tests/ledger -k close')"
	@echo "make bench       how fast it is, beside others (some: make bench ARGS='posting reads'; quicker: ARGS=--quick)"
	@echo "make check       ruff and mypy"
	@echo "make format      let ruff put the code in order"
	@echo "make lock        resolve the requirements anew"
	@echo "make clean       remove what the commands above made, the demo's database too"

run: $(VENV)/run.stamp
	@$(PY) -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' 2>/dev/null || { \
		echo "Port $(PORT) is taken: choose another one, for example make run PORT=8001." >&2; exit 1; }
	@mkdir -p instance
	@$(PREPARE) --if-empty
	@echo "Serving on http://127.0.0.1:$(PORT) (stop with Ctrl-C)."
	@$(DEMO) exec $(PY) -m gunicorn --bind 127.0.0.1:$(PORT) --worker-class gthread --workers 1 --threads 8 \
		--no-control-socket --log-level warning 'wsgi:create_app()'

demo-reset: $(VENV)/run.stamp
	@mkdir -p instance
	@rm -f "$(DEMO_FILE)" "$(DEMO_FILE)-wal" "$(DEMO_FILE)-shm"
	@$(PREPARE)

test: programs check
	@$(PY) -m pytest -q -n 2 --dist worksteal $(ARGS)

# The peers have an environment of their own: they bring Django and more, which nothing else needs.
bench: $(BENCH_VENV)/bench.stamp
	@$(BENCH_VENV)/bin/python -m bench $(ARGS)

check: $(VENV)/test.stamp
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check . || { echo "Some files are not in order: make format." >&2; exit 1; }
	@$(PY) -m mypy --no-error-summary

format: $(VENV)/test.stamp
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format --quiet .

# The stamps lie in the environment, so that removing it removes them. What `make test` needs contains what
# `make run` needs, at the same versions.
$(VENV)/run.stamp: requirements/run.txt
	@$(MAKE) --no-print-directory environment
	@$(PIP) --no-deps --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/test.stamp: requirements/test.txt
	@$(MAKE) --no-print-directory environment
	@$(PIP) --no-deps --require-hashes -r requirements/test.txt
	@touch $@

$(BENCH_VENV)/bench.stamp: requirements/run.txt bench/requirements.txt
	@$(MAKE) --no-print-directory environment VENV="$(BENCH_VENV)"
	@$(BENCH_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes \
		-r requirements/run.txt
	@$(BENCH_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-input -r bench/requirements.txt
	@touch $@

# An environment whose interpreter is gone or too old is made anew.
.PHONY: environment
environment:
	@$(FIND_PYTHON); \
	if [ -z "$$python" ]; then $(call apt,python3 python3-venv,Python 3.11 or newer is missing: install it (python.org or your system's packages) and run make again.); $(FIND_PYTHON); fi; \
	if [ -z "$$python" ]; then echo "This system's own Python is older than 3.11: install a newer one from python.org and run make again." >&2; exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		$(call apt,$$package,Python's venv module is missing: install the package $$package and run make again.); fi; \
	$(PY) -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { rm -rf "$(VENV)"; $$python -m venv "$(VENV)"; }

# Programs that the tests use and pip can't bring: a browser, and LibreOffice to open the exported workbook.
programs:
	@has() { for program in "$$@"; do [ -n "$$program" ] && command -v "$$program" >/dev/null && return; done; false; }; \
	missing=; \
	has "$$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
		/Applications/Chromium.app/Contents/MacOS/Chromium || missing="chromium fonts-liberation"; \
	has "$$SOFFICE" soffice libreoffice /Applications/LibreOffice.app/Contents/MacOS/soffice \
		|| missing="$$missing libreoffice-calc"; \
	[ -z "$$missing" ] || { $(call apt,$$missing,The tests need $$missing: install what is named here; if it lies in an unusual place put its path into CHROMIUM or SOFFICE.); }

# uv resolves for every system at once; it lives in an environment of its own that is thrown away.
lock:
	@$(FIND_PYTHON); tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $$python -m venv "$$tools" \
	&& "$$tools/bin/python" -m pip install -qq --disable-pip-version-check uv && cd requirements \
	&& for name in run test; do "$$tools/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		$$([ $$name = test ] && echo "-c run.txt") -o $$name.txt $$name.in || exit 1; done

clean:
	@rm -rf "$(VENV)" "$(BENCH_VENV)" bench/results .mypy_cache .pytest_cache .ruff_cache .hypothesis "$(DEMO_FILE)" "$(DEMO_FILE)-wal" "$(DEMO_FILE)-shm"
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
