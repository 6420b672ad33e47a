#!/usr/bin/env bash
# `make demo`: `lathe demo` with the Python environment that the tests and benches use, too.
#
#   scripts/demo.sh             start the server, train, and leave the server running until Ctrl-C
#   scripts/demo.sh --exit      the same, but stop the server at the end (for tests)
#
# LATHE_BIN is the binary (default: the newest build), LATHE_DEMO_LISTEN the address (default 127.0.0.1:4400),
# LATHE_DEMO_DATA the folder (default ./lathe-data). A server that answers at that address already is used as it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

find_binary() {
    local candidate cache=${LATHE_CACHE:-$HOME/.cache/lathe}
    for candidate in "${LATHE_BIN:-}" "${CARGO_TARGET_DIR:-$root/target}/release/lathe" "$root/target/release/lathe" \
        "$cache/target/release/lathe" "${CARGO_TARGET_DIR:-$root/target}/debug/lathe" "$cache/target/debug/lathe"; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; return 0; fi
    done
    echo "demo: no lathe binary found; build one with: make build" >&2
    return 1
}

binary=$(find_binary)
environment=$("$root/scripts/python-env.sh")
# exec: what stops this script then stops the demo itself, once.
exec "$binary" demo --listen "${LATHE_DEMO_LISTEN:-127.0.0.1:4400}" --data-dir "${LATHE_DEMO_DATA:-$root/lathe-data}" \
    --python "$environment/bin/python" "$@"
