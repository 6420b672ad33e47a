#!/usr/bin/env bash
# `make demo`: a running server with a real project in it.
#
#   scripts/demo.sh             start the server, train, and leave the server running until Ctrl-C
#   scripts/demo.sh --exit      the same, but stop the server at the end (for tests)
#
# LATHE_BIN is the binary (default: the newest build), LATHE_DEMO_LISTEN the address (default 127.0.0.1:4400),
# LATHE_DEMO_DATA the folder (default ./lathe-data). A server that answers at that address already is used as it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
listen=${LATHE_DEMO_LISTEN:-127.0.0.1:4400}
data=${LATHE_DEMO_DATA:-$root/lathe-data}
url=http://$listen
stay=yes
[ "${1:-}" != --exit ] || stay=no

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then say() { printf '\n%s\n' "$*"; }; fi

server_pid=
stop_server() {
    [ -n "$server_pid" ] || return 0
    # SIGTERM: the server finishes what it is doing, and then ends.
    kill -TERM "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=
}
trap stop_server EXIT

find_binary() {
    local candidate cache=${LATHE_CACHE:-$HOME/.cache/lathe}
    for candidate in "${LATHE_BIN:-}" "${CARGO_TARGET_DIR:-$root/target}/release/lathe" "$root/target/release/lathe" \
        "$cache/target/release/lathe" "${CARGO_TARGET_DIR:-$root/target}/debug/lathe" "$cache/target/debug/lathe"; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; return 0; fi
    done
    echo "demo: no lathe binary found; build one with: make build" >&2
    return 1
}

answers() { # whether a Lathe server (and not something else) answers at the address
    python3 - "$url" <<'PYTHON'
import json, sys, urllib.request

try:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(sys.argv[1] + "/api/v1/server", timeout=3) as answer:
        sys.exit(0 if "mlflow_version" in json.load(answer) else 1)
except Exception:
    sys.exit(1)
PYTHON
}

say "1/3  The server"
if answers; then
    echo "A Lathe server answers at $url already: using it."
else
    binary=$(find_binary)
    # The server's own log is for trouble; the demo shows what a user needs.
    mkdir -p "$data"
    # In a session of its own: Ctrl-C in the terminal then reaches this script only, which stops the server once, cleanly.
    setsid "$binary" serve --listen "$listen" --data-dir "$data" >"$data/demo-server.log" 2>&1 </dev/null &
    server_pid=$!
    for _ in $(seq 300); do
        if ! kill -0 "$server_pid" 2>/dev/null; then
            server_pid=
            tail -20 "$data/demo-server.log" >&2
            exit 1
        fi
        answers && break
        sleep 0.1
    done
    answers || { echo "demo: the server does not answer at $url" >&2; exit 1; }
    echo "Listening on $url, everything is kept in ${data#"$PWD"/}."
fi

say "2/3  A Python environment with MLflow and scikit-learn"
environment=$("$root/scripts/python-env.sh")
echo "$environment"

say "3/3  Training on real handwritten digits (about half a minute)"
env MLFLOW_TRACKING_URI="$url" MLFLOW_DISABLE_TELEMETRY=true PYTHONUNBUFFERED=1 \
    "$environment/bin/python" "$root/examples/digits/train.py" 2> >(grep -v -e '^Successfully registered' -e '^Created version' -e '^Registered model' >&2)

if [ -n "${binary:-}" ]; then lathe=$binary; else lathe=$(find_binary || echo lathe); fi
case ":$PATH:" in *":$(dirname "$lathe"):"*) lathe=lathe ;; esac
say "Open $url"
cat <<TEXT

Next, in another terminal:

  eval "\$($lathe env)"                 point any MLflow client at this server
  $lathe run list                     the runs, as a table
  $lathe lineage why digits/1         where the champion came from

TEXT

if [ "$stay" = no ]; then exit 0; fi
if [ -z "$server_pid" ]; then exit 0; fi
echo "The server runs until you press Ctrl-C."
trap 'echo; echo "Stopping…"; stop_server; exit 0' INT TERM
wait "$server_pid" || true
