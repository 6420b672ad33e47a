# Thin: each target names the script or cargo command that does the work.
LATHE_CACHE ?= $(HOME)/.cache/lathe
export LATHE_CACHE
export CARGO_TARGET_DIR ?= $(LATHE_CACHE)/target
RELEASE_BIN = $(CARGO_TARGET_DIR)/release/lathe

.PHONY: help demo demo-quick demo-digits build ui test check fmt bench-tracking bench-data bench-workflows bench-serving bench-monitoring clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s '	'

demo: build ## Build everything, tell the whole story on real flights, and leave the server running
	LATHE_BIN=$(RELEASE_BIN) scripts/demo.sh

demo-quick: build ## The same on a tenth of the flights, in two minutes
	LATHE_BIN=$(RELEASE_BIN) scripts/demo.sh --quick

demo-digits: build ## The tutorial of experiment tracking: train and register models of handwritten digits
	LATHE_BIN=$(RELEASE_BIN) scripts/demo-digits.sh

build: ui ## Build the release binary with the UI inside
	cargo build --release --package lathe

ui: ## Build the web UI
	scripts/ui.sh build

test: ## Install what tests need and run all of them
	scripts/test.sh

check: ## The quick checks: format, lints, layers
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo xtask arch

bench-tracking: build ## Measure tracking beside MLflow, same load, same run
	LATHE_BIN=$(RELEASE_BIN) benches/tracking/run.sh

bench-data: build ## Measure the data room beside s3s-fs and DVC, in one run
	LATHE_BIN=$(RELEASE_BIN) benches/data/run.sh

bench-workflows: build ## Measure a step of a pipeline beside Prefect and DVC, in one run
	LATHE_BIN=$(RELEASE_BIN) benches/workflows/run.sh

bench-serving: build ## Measure deployments beside a bare ONNX server and MLflow, in one run
	LATHE_BIN=$(RELEASE_BIN) benches/serving/run.sh

bench-monitoring: ## Measure a drift report beside Evidently, in one run
	benches/monitoring/run.sh

clean: ## Remove what was built, and the cache outside the clone
	cargo clean
	rm -rf ui/dist ui/node_modules
