#!/usr/bin/env bash
# Measures what a step of a pipeline costs beyond its own process, beside Prefect and DVC. Prints a table; see README.md.
#
#   benches/workflows/run.sh [--quick] [--out FILE]
#
# LATHE_BIN is the release binary (default: the release build in the target folder).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
prefect_version=3.9.1
if [ -z "${LATHE_BIN:-}" ]; then
    for target in "${CARGO_TARGET_DIR:-}" "$root/target" "$cache/target"; do
        if [ -n "$target" ] && [ -x "$target/release/lathe" ]; then LATHE_BIN=$target/release/lathe; break; fi
    done
fi
[ -n "${LATHE_BIN:-}" ] || { echo "bench: no release binary; build one with: make build" >&2; exit 1; }
export LATHE_BIN
environment=$("$root/scripts/python-env.sh")
# An environment of its own: it wants other versions of what the clients' tests pin.
prefect=$cache/bench-prefect-$prefect_version
if [ ! -f "$prefect/.complete" ]; then
    echo "bench: installing Prefect $prefect_version, the peer (once)" >&2
    rm -rf "$prefect"
    "$environment/bin/python" -m venv "$prefect"
    "$prefect/bin/pip" install --quiet --disable-pip-version-check "prefect==$prefect_version" >&2
    touch "$prefect/.complete"
fi
export PREFECT_BIN=$prefect/bin PREFECT_VERSION=$prefect_version
export PATH=$environment/bin:$PATH PYTHONPATH=$root/benches/tracking:$root/tests/clients
exec python "$here/measure.py" "$@"
