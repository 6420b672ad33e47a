#!/usr/bin/env bash
# An S3 server for tests: moto's, in memory, on a free loopback port, with one bucket.
#
#   scripts/s3-server.sh start      start it (or find it running) and print its settings
#   scripts/s3-server.sh url        print them again; exit code 1 when it does not run
#   scripts/s3-server.sh stop       stop it; what was stored is gone
#
# The settings are lines that a shell can `eval`:
#   AWS_ENDPOINT_URL=http://127.0.0.1:PORT AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_REGION=… LATHE_TEST_S3_BUCKET=…
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
folder=$cache/s3-server
bucket=lathe-tests

say() { echo "s3-server: $*" >&2; }

server_pid() {
    local pid
    pid=$(cat "$folder/pid" 2>/dev/null) || return 1
    # A reused PID must not be taken for ours.
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q moto_server || return 1
    echo "$pid"
}

settings() {
    server_pid >/dev/null || return 1
    cat "$folder/settings"
}

start() {
    local environment port attempt
    environment=$("$root/scripts/python-env.sh")
    mkdir -p "$folder"
    exec 9>"$folder/lock"
    flock 9
    settings && return 0
    for attempt in 1 2 3; do
        port=$("$environment/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        # Own session, lock not inherited: the server outlives this script.
        setsid "$environment/bin/moto_server" -H 127.0.0.1 -p "$port" >"$folder/log" 2>&1 9>&- </dev/null &
        echo $! >"$folder/pid"
        printf '%s\n' "AWS_ENDPOINT_URL=http://127.0.0.1:$port" AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing \
            AWS_REGION=us-east-1 "LATHE_TEST_S3_BUCKET=$bucket" >"$folder/settings"
        if "$environment/bin/python" - "$port" "$bucket" <<'PYTHON'
import sys, time
import boto3, botocore

port, bucket = sys.argv[1:]
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="testing",
                      aws_secret_access_key="testing", region_name="us-east-1")
deadline = time.monotonic() + 30
while True:
    try:
        client.create_bucket(Bucket=bucket)
        break
    except (botocore.exceptions.EndpointConnectionError, botocore.exceptions.ConnectionClosedError):
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(0.05)
PYTHON
        then
            settings && return 0
        fi
        say "start $attempt failed"
        stop
    done
    tail -20 "$folder/log" >&2
    exit 1
}

stop() {
    local pid
    if pid=$(server_pid); then
        kill "$pid"
        for _ in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.05; done
        [ ! -d "/proc/$pid" ] || kill -9 "$pid"
    fi
    rm -f "$folder/pid" "$folder/settings"
}

case "${1:-}" in
    start) start ;;
    url) settings ;;
    stop) stop ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
