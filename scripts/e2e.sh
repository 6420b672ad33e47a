#!/usr/bin/env bash
# Browser tests: two real servers (one asks for sign-in) with fresh data, filled by MLflow's client, walked through in Chromium.
#
#   scripts/e2e.sh                 all of them
#   scripts/e2e.sh walk            only tests/e2e/walk.test.mjs
#
# LATHE_BIN is the binary (default: the newest build), LATHE_CHROMIUM the browser (default: what scripts/chromium.sh finds).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
servers=()

finish() {
    local pid
    for pid in "${servers[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT

find_binary() {
    local candidate cache=${LATHE_CACHE:-$HOME/.cache/lathe}
    for candidate in "${LATHE_BIN:-}" "${CARGO_TARGET_DIR:-$root/target}/debug/lathe" "$root/target/debug/lathe" \
        "$cache/target/debug/lathe" "$cache/target/release/lathe"; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; return 0; fi
    done
    echo "e2e: no lathe binary found; build one with: cargo build --package lathe" >&2
    return 1
}

# Starts a server on a port that the system chooses; sets `url` when it is ready.
start_server() { # name, options…
    local name=$1 log=$folder/$1.log
    shift
    : >"$log" # so that it can be read at once
    "$binary" serve --listen 127.0.0.1:0 --data-dir "$folder/$name" "$@" >>"$log" 2>&1 </dev/null &
    servers+=($!)
    for _ in $(seq 600); do
        if ! kill -0 "${servers[-1]}" 2>/dev/null; then break; fi
        url=$(sed -n 's|.*listening on \(http://[^ ]*\).*|\1|p' "$log" | head -1)
        if [ -n "$url" ] && curl --noproxy '*' --silent --fail --output /dev/null "$url/readyz"; then return 0; fi
        sleep 0.1
    done
    echo "e2e: the server does not start:" >&2
    tail -20 "$log" >&2
    return 1
}

binary=$(find_binary)
"$root/scripts/ui.sh" install
[ -f "$root/ui/dist/index.html" ] || "$root/scripts/ui.sh" build
LATHE_CHROMIUM=${LATHE_CHROMIUM:-$("$root/scripts/chromium.sh")}
venv=$("$root/scripts/python-env.sh")

# Deployed models run in the Python that logged them.
export LATHE_SERVING_PYTHON=$venv/bin/python
start_server local
LATHE_URL=$url
LATHE_ADMIN_PASSWORD=$(head -c 18 /dev/urandom | base64)
export LATHE_CHROMIUM LATHE_URL LATHE_ADMIN_PASSWORD
start_server login --login
export LATHE_LOGIN_URL=$url

env MLFLOW_TRACKING_URI="$LATHE_URL" MLFLOW_DISABLE_TELEMETRY=true LATHE_E2E_FOLDER="$folder" NO_PROXY=127.0.0.1 \
    "$venv/bin/python" "$root/ui/tests/e2e/fill.py" 2>"$folder/fill.log" || { cat "$folder/fill.log" >&2; exit 1; }

cd "$root/ui"
tests=(tests/e2e/*.test.mjs)
if [ $# -gt 0 ]; then
    tests=()
    for name in "$@"; do tests+=("tests/e2e/$name.test.mjs"); done
fi
# One after the other: they share the server's data, and there may be no more than two cores.
node --test --test-concurrency=1 --test-reporter=spec "${tests[@]}"
