#!/usr/bin/env bash
# `make demo`: the story of examples/flights on a server of its own, which stays until Ctrl-C.
#
#   scripts/demo.sh                 all flights: some minutes
#   scripts/demo.sh --quick         a tenth of them
#   scripts/demo.sh --exit          stop the server at the end (for tests)
#
# LATHE_BIN is the binary (default: the newest build), LATHE_DEMO_LISTEN the address (default 127.0.0.1:4400; S3 on the next
# port), LATHE_DEMO_DATA the folder (default ./lathe-data). It can be run again: what was made before stays.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
listen=${LATHE_DEMO_LISTEN:-127.0.0.1:4400}
data=${LATHE_DEMO_DATA:-$root/lathe-data}
binary=$("$root/scripts/find-binary.sh")
environment=$("$root/scripts/python-env.sh")
exits=
arguments=()
for argument in "$@"; do
    case "$argument" in
        --exit) exits=yes ;;
        *) arguments+=("$argument") ;;
    esac
done

mkdir -p "$data"
log=$data/server.log
# Emptied here and not by the server's own redirection: what an earlier server said must not be read as its word.
: >"$log"
# The jobs of the pipeline and the deployed models run in this Python.
PATH=$environment/bin:$PATH LATHE_SERVING_PYTHON=$environment/bin/python "$binary" serve --listen "$listen" \
    --s3-listen "${listen%:*}:$((${listen##*:} + 1))" --data-dir "$data" >>"$log" 2>&1 &
server=$!
stop() {
    kill -INT "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

until grep -q 'listening on' "$log"; do
    if ! kill -0 "$server" 2>/dev/null; then
        echo "demo: the server did not start:" >&2
        tail -n 5 "$log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "The server runs on http://$listen (data in $data, log in $log)."
"$environment/bin/python" "$root/examples/flights/demo.py" --url "http://$listen" --project default --lathe "$binary" "${arguments[@]}"
if [ -n "$exits" ]; then exit 0; fi
trap 'exit 0' INT TERM
cat <<TEXT

Next:
  $binary pipeline list --url http://$listen
  $binary monitor quality flights-delay --url http://$listen
  $binary audit verify --url http://$listen
The server runs until you press Ctrl-C.
TEXT
wait "$server"
