#!/usr/bin/env bash
# All tests: installs what they need, then runs the repository checks, Rust on both databases, the UI, real clients, the browser.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

step "what the tests need"
venv=$(scripts/python-env.sh)
scripts/postgres.sh install
scripts/postgres.sh start >/dev/null
scripts/s3-server.sh start >/dev/null
stop() { scripts/s3-server.sh stop >/dev/null || true; scripts/postgres.sh stop >/dev/null || true; }
trap stop EXIT
LATHE_CHROMIUM=$(scripts/chromium.sh)
LATHE_TEST_POSTGRES_URL=$(scripts/postgres.sh url)
export LATHE_CHROMIUM LATHE_TEST_POSTGRES_URL
# The S3 server's settings, of which the Rust tests read the address by their own name.
set -a
eval "$(scripts/s3-server.sh url)"
LATHE_TEST_S3_URL=$AWS_ENDPOINT_URL
set +a

step "the web UI: types, unit tests, build, size"
scripts/ui.sh test
scripts/ui.sh build

step "format, lints, layers"
cargo fmt --all --check
cargo clippy --workspace --all-targets --quiet -- -D warnings
cargo xtask arch

step "Rust, on SQLite and PostgreSQL"
cargo test --workspace --quiet
cargo xtask openapi --check
cargo xtask schema

step "real clients"
export LATHE_BIN=$CARGO_TARGET_DIR/debug/lathe
cargo build --quiet --package lathe
# Side by side: a good part of their time they wait for servers.
logs=$(mktemp -d)
clients() { LATHE_TEST_DATABASE_URL=$1 "$venv/bin/python" -m pytest tests/clients -q --durations=20 >"$logs/$1" 2>&1; }
clients sqlite & sqlite=$!
clients postgres & postgres=$!
failed=
wait $sqlite || failed="$failed sqlite"
step "real clients on sqlite"
cat "$logs/sqlite"
wait $postgres || failed="$failed postgres"
step "real clients on postgres"
cat "$logs/postgres"
rm -r "$logs"
[ -z "$failed" ] || { echo "clients failed on:$failed" >&2; exit 1; }

step "the browser"
scripts/e2e.sh

step "all tests passed"
