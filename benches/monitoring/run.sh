#!/usr/bin/env bash
# Measures a drift report beside Evidently. Prints a table; see README.md.
#
#   benches/monitoring/run.sh [--rows N] [--out FILE]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
evidently_version=0.7.23
environment=$("$root/scripts/python-env.sh")
# An environment of its own: it wants other versions of what the clients' tests pin.
evidently=$cache/bench-evidently-$evidently_version
if [ ! -f "$evidently/.complete" ]; then
    echo "bench: installing Evidently $evidently_version, the peer (once)" >&2
    rm -rf "$evidently"
    "$environment/bin/python" -m venv "$evidently"
    "$evidently/bin/pip" install --quiet --disable-pip-version-check "evidently==$evidently_version" "pandas<3" pyarrow >&2
    touch "$evidently/.complete"
fi
(cd "$root" && cargo build --quiet --release --package lathe-monitoring --example report)
export EVIDENTLY_PYTHON=$evidently/bin/python EVIDENTLY_VERSION=$evidently_version
export LATHE_REPORT=${CARGO_TARGET_DIR:-$root/target}/release/examples/report
exec "$environment/bin/python" "$here/measure.py" "$@"
