#!/usr/bin/env bash
# Measures tracking beside MLflow: same load, same run, CPU time of the servers. Prints a table; see README.md.
#
#   benches/tracking/run.sh [--quick] [--out FILE]
#
# LATHE_BIN is the release binary (default: the release build in the target folder).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ -z "${LATHE_BIN:-}" ]; then
    for target in "${CARGO_TARGET_DIR:-}" "$root/target" "${LATHE_CACHE:-$HOME/.cache/lathe}/target"; do
        if [ -n "$target" ] && [ -x "$target/release/lathe" ]; then LATHE_BIN=$target/release/lathe; break; fi
    done
fi
[ -n "${LATHE_BIN:-}" ] || { echo "bench: no release binary; build one with: make build" >&2; exit 1; }
export LATHE_BIN
environment=$("$root/scripts/python-env.sh")
cd "$here"
exec "$environment/bin/python" -m bench "$@"
