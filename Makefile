# The two commands are `make run` and `make test`. Both work on a fresh clone; `make help` has more.
#
#   make run [PORT=8000] [HOST=0.0.0.0] [HTTPS=1] [VAR=folder] [PUBLIC_URL=https://…]
#   PYTHON=python3.12 chooses the interpreter that .venv is made with.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two files of tests at a time, each process with a database and a Valkey of its own. A file stays
# whole, for what its tests share, and files keep their order: the short ones come last. Browsers
# come two at a time as well; tests that kill processes, or time a bell or a fan-out, one by one.
# Much of all that is waiting. Beside it, and out of its way, is what only computes: casts, and
# PostgreSQL's turn beside what waits most.
TESTS_AT_ONCE ?= 2
pytest = $(BIN)/python -m pytest
together = $(pytest) -n $(TESTS_AT_ONCE) --dist loadfile --no-loadscope-reorder
alone = tests/chaos tests/deploy/test_up.py tests/deploy/test_supervisor.py \
        tests/billboard/test_nudges.py tests/campaign/test_bell.py tests/bench/test_step.py \
        tests/bench/test_screens.py
casts = $(addprefix tests/figurine/test_,squad.py geometry.py squad_geometry.py patterns.py motion.py \
        bad_input.py sculpt.py kits.py) tests/figurine/klein
in_front = $(together) $(alone:%=--ignore %) $(casts:%=--ignore %) --ignore tests/e2e
browsers = $(together) tests/e2e
on_postgres = tests/campaign tests/billboard --ignore-glob '*/test_player*.py'
# $(call beside,commands,log,tests,environment): the commands, and at once these tests; then what
# those said.
beside = $(4) nice -n 19 $(together) $(3) > $(VENV)/$(2).log 2>&1 & beside=$$!; set -x; \
         $(1); first=$$?; wait $$beside || first=1; cat $(VENV)/$(2).log; exit $$first
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
TORCH := torch==2.13.0

# HOST only when given to make: conda and tcsh export one that means something else.
host = $(if $(filter command,$(origin HOST)),$(HOST))
up_options = $(if $(PORT),--port "$(PORT)") $(if $(host),--host "$(host)") \
             $(if $(filter-out 0 no false,$(HTTPS)),--https) \
             $(if $(VAR),--var "$(VAR)") $(if $(PUBLIC_URL),--public-url "$(PUBLIC_URL)")

.PHONY: help
help: ## Show this
	@printf '\n  Diorama: a selfie becomes a toy soldier on a billboard\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  make run takes PORT=, HOST=, HTTPS=1, VAR= and PUBLIC_URL=\n\n'

.PHONY: run
run: $(VENV)/installed-embedded.txt ## Start everything on this machine; Ctrl-C stops it
	@exec $(BIN)/python -m deploy.up $(up_options)

.PHONY: test
test: ## Install what the suite needs, then check and test all, on SQLite and PostgreSQL
	@$(MAKE) --no-print-directory -j2 check chromium
	@$(call beside,$(in_front) && $(browsers),casts,$(casts))
	@$(call beside,$(pytest) $(alone),postgres,$(on_postgres),DIORAMA_TEST_DATABASE=postgres)

.PHONY: check
check: $(VENV)/installed-test.txt ## Lint, types, migrations and deployment settings
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	@DIORAMA_VAR="$$(mktemp -d)"; trap 'rm -rf "$$DIORAMA_VAR"' EXIT; export DIORAMA_VAR; \
	export DIORAMA_SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))')"; \
	export DIORAMA_PUBLIC_URL=https://diorama.example; set -ex; \
	$(BIN)/python -m mypy; \
	$(BIN)/python manage.py makemigrations --check --dry-run; \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

.PHONY: chaos
chaos: $(VENV)/installed-test.txt chromium ## Kill workers and Valkey again and again (CHAOS_ROUNDS=20)
	CHAOS_ROUNDS=$(or $(CHAOS_ROUNDS),20) $(pytest) tests/chaos

.PHONY: exhaustive
exhaustive: $(VENV)/installed-test.txt ## Cast every kit, pose and size of squad, and try screens at length
	EXHAUSTIVE=1 $(together) \
	  $(addprefix tests/figurine/test_,geometry.py sculpt.py squad.py squad_geometry.py) \
	  tests/billboard/test_machine.py tests/billboard/test_hostile.py \
	  tests/e2e/test_socket_machine.py

.PHONY: soak
soak: $(VENV)/installed-test.txt chromium ## Watch every frame of several hundred changes of picture (TRANSITIONS=400)
	TRANSITIONS=$(or $(TRANSITIONS),400) $(pytest) tests/e2e/test_transitions.py

.PHONY: soak-screen
soak-screen: $(VENV)/installed-test.txt chromium ## Break everything around one screen, and watch every frame (MINUTES=10)
	$(BIN)/python -m tests.soak_screen --minutes $(or $(MINUTES),10) $(if $(SEED),--seed "$(SEED)")

.PHONY: pictures
pictures: $(VENV)/installed-test.txt chromium ## Make all pictures of the product anew
	$(BIN)/python -m tests.kit_pictures
	$(BIN)/python -m tests.squad_pictures
	$(BIN)/python -m tests.odd_pictures
	$(BIN)/python -m tests.pictures

.PHONY: requirements
requirements: $(BIN)/pip ## Resolve pyproject.toml again into requirements/
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	  --no-emit-find-links pyproject.toml -o requirements/embedded.txt
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	  --no-emit-find-links --extra test --constraint requirements/embedded.txt pyproject.toml \
	  -o requirements/test.txt
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	  --no-emit-find-links --extra gpu --extra s3 --constraint requirements/embedded.txt pyproject.toml \
	  -o requirements/gpu.txt

.PHONY: clean
clean: ## Remove .venv and caches; var/ with its pictures stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets above stand on --------------------------------------------------------------

# pip is the last that `venv` puts there: an interrupted one is made again.
$(BIN)/pip:
	@command -v "$(PYTHON)" >/dev/null || \
	  { echo 'Diorama needs Python 3.11 or newer; there is no $(PYTHON) here (PYTHON=… names another).' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Diorama needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" -V 2>&1) (PYTHON=… names another)." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'Python lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Making $(VENV)'
	@"$(PYTHON)" -m venv --clear $(VENV)

# The pins are the whole set, so pip resolves nothing; installed again only when they change. What the
# tests add is compiled as it is used: most of it never is.
$(VENV)/installed-embedded.txt: requirements/embedded.txt | $(BIN)/pip
	@echo 'Installing the embedded set (once; about a minute)'
	@$(PIP) --no-deps -r $<
	@cp $< $@

$(VENV)/installed-test.txt: requirements/test.txt | $(VENV)/installed-torch.txt
	@echo 'Installing the test set'
	@$(PIP) --no-deps --no-compile -r $<
	@cp $< $@

# By itself and first: a range would bring gigabytes of CUDA, the pin finds a CPU build if one is offered.
$(VENV)/installed-torch.txt: | $(BIN)/pip
	@echo 'Installing $(TORCH) for the tests that need it'
	@$(PIP) --no-compile '$(TORCH)' || \
	  echo '$(TORCH) cannot be had here: the tests that need it are skipped by name.' >&2
	@echo '$(TORCH)' > $@

.PHONY: chromium
chromium:
	@if command -v chromium-headless-shell || command -v google-chrome; then :; \
	elif command -v apt-get && { [ "$$(id -u)" = 0 ] || sudo -n true; }; then \
	  [ "$$(id -u)" = 0 ] || as_root='sudo -n'; \
	  install="$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y"; \
	  $$as_root apt-get -qq update; \
	  command -v chromium || command -v chromium-browser || $$install chromium fonts-noto-cjk; \
	  $$install chromium-headless-shell || true; \
	elif command -v chromium || command -v chromium-browser; then :; \
	else \
	  echo 'Install Chromium for the browser tests; without it they fail.' >&2; \
	fi >/dev/null
