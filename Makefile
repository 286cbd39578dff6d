# The commands of this project; `make` alone lists them. Settings: the environment, .env, or make NAME=value.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo generate up down clean distclean status env psql logs build install node-check test chaos bench bench-parts bench-latency bench-cost bench-page check

# What npm and the compiler print goes to standard error: the answer of `make env` is all of standard output.
STACK_CLI := npm run -s stack --
SOURCES := $(shell find src stack demo -name '*.ts' 2>/dev/null) tsconfig.json package.json
LOCKFILE := node_modules/.package-lock.json
BUILT := dist/.built

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(BUILT) ## from nothing to rows arriving in ClickHouse, step by step; ends by itself without a terminal
	@npm run -s demo

generate: $(BUILT) ## changes at a steady rate until Ctrl-C: RATE=50 MIX=shop=1 TABLES=shop SEED=1 ARGS='--seconds 60'
	@npx node dist/demo/generate.js $(if $(RATE),--rate '$(RATE)') $(if $(MIX),--mix '$(MIX)') $(if $(TABLES),--tables '$(TABLES)') $(if $(SEED),--seed '$(SEED)') $(ARGS)

up: $(BUILT) ## start everything; STACK=docker|local, CONNECTOR=json|json-schema|avro|none
	@$(STACK_CLI) up

down: $(BUILT) ## stop everything; data stays
	@$(STACK_CLI) down

clean: $(BUILT) ## stop everything and remove its data, logs and state; downloads stay
	@$(STACK_CLI) clean

distclean: $(BUILT) ## clean, and remove the downloads and what was installed and built
	@$(STACK_CLI) distclean
	@rm -rf dist coverage node_modules

status: $(BUILT) ## each part: up or down, port, pid, version, log; the connector and its tasks
	@$(STACK_CLI) status

env: $(BUILT) ## export lines for a shell: eval "$$(make env)"
	@$(STACK_CLI) env

psql: $(BUILT) ## psql on the source; ARGS='-f demo/inserts.sql' passes arguments
	@$(STACK_CLI) psql $(ARGS)

logs: $(BUILT) ## the end of a part's log: PART=kafka; ARGS=-f goes on showing it
	@$(STACK_CLI) logs $(PART) $(ARGS)

test: $(BUILT) ## all tests: unit tests, the model, and integration tests on real parts of their own
	@mkdir -p .stack
	@npm run -s test

chaos: $(BUILT) ## break everything at random moments and compare: SEED=1 MINUTES=3 SEEDS=50; goes on where it stopped
	@npx node -r ./test/unit/cli-typescript.cjs test/chaos/run.ts

bench: $(BUILT) ## ours, ClickHouse's Kafka engine, a plain consumer and the floor, side by side: CHANGES=2000000 REPEAT=3
	@npx node -r ./test/unit/cli-typescript.cjs bench/run.ts

bench-parts: $(BUILT) ## what each step costs by itself: PARTS=gather,prepare WIRE=json
	@npx node $(NODE_FLAGS) -r ./test/unit/cli-typescript.cjs bench/parts.ts

bench-latency: $(BUILT) ## commit to visible, percentiles by stage: RATE=100,1000,5000 SECONDS=20
	@npx node -r ./test/unit/cli-typescript.cjs bench/latency.ts

bench-cost: $(BUILT) ## the rate as work grows: DIMENSION=tables,lookups CHANGES=100000 MIRROR=10000000
	@npx node -r ./test/unit/cli-typescript.cjs bench/cost.ts

bench-page: $(BUILT) ## what viewers of the live page cost the pipeline: VIEWERS=300 STUCK=30 QUESTIONS=50 CHANGES=500000
	@npx node -r ./test/unit/cli-typescript.cjs bench/page-load.ts

check: $(LOCKFILE) ## types, style, layout, formatting, the Compose file
	@npm run -s check

build: $(BUILT) ## install what is missing and compile

install: $(LOCKFILE)

# Not `npm ci`: it refuses a lock file that lacks packages for other platforms, which not every registry has. The versions
# are those of the lock file all the same. npm writes this file last, so it is there and newer exactly when an installation was completed.
$(LOCKFILE): package-lock.json | node-check
	@echo 'installing the npm packages' >&2
	@npm install --no-save --loglevel=error --no-progress >&2
	@touch $(LOCKFILE)

$(BUILT): $(LOCKFILE) $(SOURCES)
	@npm run -s build >&2
	@touch $(BUILT)

node-check:
	@command -v node >/dev/null && command -v npm >/dev/null || { \
	  echo 'Node and npm were not found; everything here runs on them (20 or later, which then runs Node 24 from npm).' >&2; \
	  echo 'Install them from https://nodejs.org/en/download or, on Debian and Ubuntu: apt-get install nodejs npm' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node, 10) >= 20 ? 0 : 1)' || { \
	  echo "Node $$(node --version) is too old: 20 or later is needed (it then runs Node 24 from npm)." >&2; \
	  echo 'Install one from https://nodejs.org/en/download' >&2; exit 1; }
