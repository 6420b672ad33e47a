#!/usr/bin/env bash
# `make demo-digits`: `lathe demo` with the Python environment that the tests and benches use, too.
#
#   scripts/demo-digits.sh          start the server, train, and leave the server running until Ctrl-C
#   scripts/demo-digits.sh --exit   the same, but stop the server at the end (for tests)
#
# LATHE_BIN is the binary (default: the newest build), LATHE_DEMO_LISTEN the address (default 127.0.0.1:4400),
# LATHE_DEMO_DATA the folder (default ./lathe-data). A server that answers at that address already is used as it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$("$root/scripts/find-binary.sh")
environment=$("$root/scripts/python-env.sh")
# exec: what stops this script then stops the demo itself, once.
exec "$binary" demo --listen "${LATHE_DEMO_LISTEN:-127.0.0.1:4400}" --data-dir "${LATHE_DEMO_DATA:-$root/lathe-data}" \
    --python "$environment/bin/python" "$@"
