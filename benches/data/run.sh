#!/usr/bin/env bash
# Measures the data room beside its peers: the S3 door beside a plain s3s-fs server, `lathe cp` beside DVC. Prints a table; see README.md.
#
#   benches/data/run.sh [--quick] [--out FILE]
#
# LATHE_BIN is the release binary (default: the release build in the target folder).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
peer_version=0.14.1
if [ -z "${LATHE_BIN:-}" ]; then
    for target in "${CARGO_TARGET_DIR:-}" "$root/target" "$cache/target"; do
        if [ -n "$target" ] && [ -x "$target/release/lathe" ]; then LATHE_BIN=$target/release/lathe; break; fi
    done
fi
[ -n "${LATHE_BIN:-}" ] || { echo "bench: no release binary; build one with: make build" >&2; exit 1; }
export LATHE_BIN
tools=$cache/s3s-fs-$peer_version
if [ ! -x "$tools/bin/s3s-fs" ]; then
    echo "bench: building s3s-fs $peer_version, the peer (once)" >&2
    CARGO_TARGET_DIR=$tools/target cargo install --quiet --locked --root "$tools" --features binary "s3s-fs@$peer_version"
    rm -rf "$tools/target"
fi
export S3S_FS_BIN=$tools/bin/s3s-fs
environment=$("$root/scripts/python-env.sh")
export PATH=$environment/bin:$PATH PYTHONPATH=$root/benches/tracking:$root/tests/clients
exec python "$here/measure.py" "$@"
