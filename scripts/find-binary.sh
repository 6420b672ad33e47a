#!/usr/bin/env bash
# Prints the path of the lathe binary: LATHE_BIN, or a release build, or a debug build.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
for candidate in "${LATHE_BIN:-}" "${CARGO_TARGET_DIR:-$root/target}/release/lathe" "$root/target/release/lathe" \
    "$cache/target/release/lathe" "${CARGO_TARGET_DIR:-$root/target}/debug/lathe" "$cache/target/debug/lathe"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; exit 0; fi
done
echo "find-binary: no lathe binary found; build one with: make build" >&2
exit 1
