# Everything a newcomer needs: `make nightly` runs a night, `make test` runs the tests.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip --quiet
COMMA := ,
FAST := unit or postgres
# A file's tests stay on one worker, so that each database and each Spark session is made once; the heaviest come first.
WORKERS := -n 2 --dist loadgroup --no-loadscope-reorder
COVERAGE_FLOOR := 80
SECONDS_SINCE = $$(( $$(date +%s) - began ))

# make itself ends with 2 whatever a command ended with, so the command's own exit code is printed.
EXPLAINED = || { code=$$?; case $$code in \
  2) what="a value that was typed or set" ;; 3) what="the dump or its content: trying again changes nothing" ;; \
  4) what="database, Spark or disk: trying again may help" ;; 5) what="something that this machine lacks: make doctor" ;; \
  6) what="an error of the program" ;; *) what="ended from outside" ;; esac; \
  echo "Exit code $$code: $$what" >&2; exit $$code; }

export PYTHONWARNINGS := ignore

.DEFAULT_GOAL := help
.PHONY: help nightly demo typed test test-fast coverage lint up down doctor bench audit clean lock screenshots docs

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make nightly DUMP=reviews.jsonl.gz DATE=2026-11-22 MODEL=cinema-fr runs a dump of your own"

# A night's values go by the environment as they were typed: make would expand a `$`, a shell run a quoted command.
NIGHT := DUMP DATE MODEL SOURCE PROFILE ENCODING SUPERSEDE ALLOW REASON SENTENCES DRY_RUN
UNTYPED := $(strip $(foreach name,$(NIGHT),$(if $(filter environment%,$(origin $(name))),$(name))))
unexport $(NIGHT) SURE
# Where it is set, each of the dozen Python processes of a night would compile what it imports anew: seconds each.
unexport PYTHONDONTWRITEBYTECODE
$(foreach name,$(NIGHT),$(eval nightly typed: export NIGHTLY_$(name) = $$(value $(name))))

nightly: typed $(VENV)/.run  ## run one night on this machine, from nothing to a summary
	@NIGHTLY_ALLOW=$${NIGHTLY_ALLOW//,/ } $(BIN)/sentiment nightly $(EXPLAINED)

typed:
	@test -z "$(UNTYPED)" || { echo "Error: $(UNTYPED) of the environment: a night takes values of make's line only."; \
	  echo "Next: make nightly$(foreach name,$(NIGHT),$${NIGHTLY_$(name):+ $(name)=$${NIGHTLY_$(name)@Q}})"; exit 2; } >&2

test: lint  ## every test, in random order; PYTEST='-p randomly -p no:cacheprovider' and the like are passed on
	@$(BIN)/python -m pytest $(WORKERS) $(PYTEST)

test-fast: lint  ## the unit and postgres lanes, but for what is heavy: no Spark, no Airflow process
	@$(BIN)/python -m pytest -m "($(FAST)) and not heavy" $(WORKERS) $(PYTEST)

coverage: $(VENV)/.dev  ## how much of the code the fast lanes run; fails below the floor
	@$(BIN)/python -m pytest -m "$(FAST)" $(WORKERS) --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE_FLOOR) $(PYTEST)

lint: $(VENV)/.dev  ## ruff and mypy
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && echo "ruff: clean"
	@$(BIN)/mypy

demo: $(VENV)/.run  ## 120 nights of made-up reviews in a database of their own, and the pages about them
	@$(BIN)/sentiment demo $(EXPLAINED)

up: $(VENV)/.run  ## start Airflow's UI on 127.0.0.1
	@$(BIN)/sentiment up $(EXPLAINED)

down: $(VENV)/.run  ## stop every process of this checkout
	@$(BIN)/sentiment down $(EXPLAINED)

doctor: $(VENV)/.run  ## say what is missing, and how to mend it
	@$(BIN)/sentiment doctor $(EXPLAINED)

bench: $(VENV)/.dev  ## measure; prints budgets beside what was measured; BENCH='--only night' and the like are passed on
	@$(BIN)/python -m bench $(BENCH)

audit: $(VENV)/.dev  ## known vulnerabilities in the run-time lock
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.txt

clean: export CLEAN_SURE = $(value SURE)
clean:  ## stop everything and remove what was made here; asks with SURE=1
	@test "$(origin SURE) $$CLEAN_SURE" = "command line 1" || { echo "would stop all and remove $(CURDIR)/.local and $(VENV); do it with: make clean SURE=1"; exit 2; }
	@test ! -x $(BIN)/sentiment || $(BIN)/sentiment down --remove
	@rm -rf .venv

screenshots: $(VENV)/.dev  ## every page of the demo as a picture, and those of the README
	@$(BIN)/python tools/screenshots.py $(EXPLAINED)

docs: $(VENV)/.dev  ## write the README's table of settings anew
	@$(BIN)/python tools/readme_settings.py

lock: $(VENV)/.dev  ## compile both locks from requirements*.in
	@$(UV) compile --generate-hashes --no-annotate --custom-compile-command "make lock" --python-version 3.11 \
	  requirements-dev.in -o requirements-dev.txt
	@$(UV) compile --generate-hashes --no-annotate --custom-compile-command "make lock" --python-version 3.11 \
	  -c requirements-dev.txt requirements.in -o requirements.txt

$(BIN)/uv: requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Error: Python 3.11 is needed, $(PYTHON) is another. Next: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 5; }
	@echo "Environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Error: this Python makes no virtual environments. Next: apt-get install python3.11-venv"; exit 5; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@touch $@

$(VENV)/.run: $(BIN)/uv requirements.txt pyproject.toml
	@began=$$(date +%s); echo "Run-time packages from the lock …"; \
	  $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.txt && \
	  $(UV) install --python $(BIN)/python --no-deps -e . && echo "  done in $(SECONDS_SINCE) s"
	@touch $@

$(VENV)/.dev: $(BIN)/uv requirements-dev.txt pyproject.toml
	@began=$$(date +%s); echo "Run-time and development packages from the lock …"; \
	  $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements-dev.txt && \
	  $(UV) install --python $(BIN)/python --no-deps -e . && echo "  done in $(SECONDS_SINCE) s"
	@touch $@ $(VENV)/.run
