#!/usr/bin/env bash
# Measures serving: an ONNX model beside a bare axum + ort server, a Python model beside `mlflow models serve`. Prints tables; see README.md.
#
#   benches/serving/run.sh [--quick] [--out FILE]
#
# LATHE_BIN is the release binary (default: the release build in the target folder).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
if [ -z "${LATHE_BIN:-}" ]; then
    for target in "${CARGO_TARGET_DIR:-}" "$root/target" "$cache/target"; do
        if [ -n "$target" ] && [ -x "$target/release/lathe" ]; then LATHE_BIN=$target/release/lathe; break; fi
    done
fi
[ -n "${LATHE_BIN:-}" ] || { echo "bench: no release binary; build one with: make build" >&2; exit 1; }
export LATHE_BIN
tools=$cache/bench-serving
cargo build --release --quiet --locked --manifest-path "$here/bare/Cargo.toml" --target-dir "$tools"
export BARE_BIN=$tools/release/bare
environment=$("$root/scripts/python-env.sh")
export PATH=$environment/bin:$PATH PYTHONPATH=$root/benches/tracking:$root/tests/clients
exec python "$here/measure.py" "$@"
