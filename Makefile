# The two commands of the README are `make demo` and `make test`. Both set up what is missing on this machine first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
BIN := .venv/bin
# two processes: one for the tests in a Spark session, one for all others
SHARED := $(BIN)/pytest -n 2
JVM := src/imagelake/jvm
JAR := $(JVM)/imagelake-logstore.jar
MAVEN := mvn -B -q -ntp -f $(JVM)/pom.xml

# $(call need,command that succeeds when it is there,Debian package): installs it as root, else says what to type
define need
if ! { $(1); } >/dev/null 2>&1; then \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    echo "installing $(2)" >&2; \
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(2); } >&2; \
  else \
    echo "$(2) is missing. Type: sudo apt-get install -y $(2)" >&2; exit 2; \
  fi; \
fi
endef

JAVA := "$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])'

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

.PHONY: demo
demo: .venv/jars ## the whole way on a generated sample, into ./lake
	@$(BIN)/imagelake demo

.PHONY: test
test: check .venv/jar-checked .venv/classes rgw strace torch ## everything that CI judges
	@$(SHARED)

.PHONY: check
check: .venv/installed ## formatting, lint, types
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

.PHONY: unit
unit: .venv/installed strace ## the tests that need no Java
	@$(SHARED) tests/unit

.PHONY: nightly
nightly: .venv/classes rgw ## the tests that take too long for every change, and the benchmarks, small, against the last ones
	@$(BIN)/pytest -m nightly
	@$(BIN)/python -m benchmarks all --small --check

.PHONY: setup
setup: .venv/classes ## the environment, the jars, and Java's class archive

.PHONY: jar
jar: maven ## rebuild the log store's jar, with its tests
	@$(MAVEN) clean package
	@cp $(JVM)/target/imagelake-logstore.jar $(JAR)

.PHONY: lock
lock: .venv/installed ## remake both lock files
	@for kind in "--python-version 3.11 --all-extras -o requirements.lock" \
	             "--python-version 3.11 -o requirements-client.lock"; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	    --no-annotate $$kind pyproject.toml; done

.PHONY: rgw
rgw: ## the S3 server that the tests run against
	@$(call need,command -v radosgw && command -v ceph-mon && command -v ceph-osd && command -v ceph && command -v openssl,\
	  --no-install-recommends radosgw ceph-mon ceph-osd ceph-common openssl)

.PHONY: strace
strace: ## what shows the tests which files are on disk, and when
	@$(call need,command -v strace,strace)

.PHONY: torch
torch: ## PyTorch for a test of training: of Debian, whose package has no GPU's libraries
	@$(call need,test -d /usr/lib/python3/dist-packages/torch || $(BIN)/python -c 'import torch',\
	  --no-install-recommends python3-torch)

.PHONY: java
java:
	@$(call need,$(JAVA),openjdk-17-jre-headless)

.PHONY: maven
maven: java
	@$(call need,command -v javac,openjdk-17-jdk-headless)
	@$(call need,command -v mvn,maven)

# the log store's tests, and that the committed jar is what its source gives
.venv/jar-checked: $(shell find $(JVM)/src -name '*.java') $(JVM)/pom.xml $(JAR) | .venv/installed maven
	@$(MAVEN) clean package
	@cmp $(JVM)/target/imagelake-logstore.jar $(JAR) || { \
	  echo "$(JAR) is not what its source gives with JDK 17: run make jar, and commit the jar" >&2; exit 1; }
	@touch $@

# the environment from the lock, and the checkout in it
.venv/installed: requirements.lock pyproject.toml
	@$(call need,$(PYTHON) -c 'import ensurepip',python3-venv)
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@if command -v uv >/dev/null; then pip="uv pip install --quiet --python $(BIN)/python"; \
	  else pip="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; fi; \
	$$pip --require-hashes -r requirements.lock; \
	$$pip --no-deps --no-build-isolation -e .
	@touch $@

# Spark's jars in the cache; fetched anew only when the list changes
.venv/jars: .venv/installed src/imagelake/engine/jars.py | java
	@$(BIN)/python -m imagelake.engine.jars >/dev/null
	@touch $@

# Java's archive of loaded classes: 20 s once, 3 s less at every start
.venv/classes: .venv/jars | java
	@$(BIN)/python -m imagelake.demo.train >/dev/null
	@touch $@
