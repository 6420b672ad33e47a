#!/usr/bin/env bash
# A private PostgreSQL server for tests: its own folder, a free loopback port, nothing shared with the machine's own.
#
#   scripts/postgres.sh install      find PostgreSQL, or install Debian's package; prints the folder of its programs
#   scripts/postgres.sh start        start (or find running), print the URL of an empty database server
#   scripts/postgres.sh url          print the URL of the running server; exit code 1 when it does not run
#   scripts/postgres.sh halt         stop it at once, as a power cut would; its data stays
#   scripts/postgres.sh resume       start it again on the same port with the same data
#   scripts/postgres.sh stop         stop it and delete its data
#
# Several can live beside each other: LATHE_POSTGRES_NAME names one (default "tests").
# fsync stays on: crash tests need the real thing.
set -euo pipefail

cache=${LATHE_CACHE:-$HOME/.cache/lathe}
name=${LATHE_POSTGRES_NAME:-tests}
# PostgreSQL refuses to run as root and its user usually cannot enter root's home: then the data lives below /var/tmp.
if [ "$(id -u)" = 0 ]; then folder=/var/tmp/lathe-postgres-$name; else folder=$cache/postgres-$name; fi
data=$folder/data
user=$(id -un)

say() { echo "postgres: $*" >&2; }
die() { say "$*"; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Runs a command as the user that owns the cluster.
as_owner() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    if id postgres >/dev/null 2>&1; then user=postgres; else user=nobody; fi
    if command -v setpriv >/dev/null; then
        (cd / && env HOME="$folder" setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@")
    else
        (cd / && env HOME="$folder" runuser -u "$user" -- "$@")
    fi
}

find_programs() {
    local candidate
    # The newest installed version first; a wrapper in PATH last (it may hide which user it runs as).
    for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr) "$(dirname "$(command -v initdb || echo /nowhere/x)")"; do
        if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ] && [ -x "$candidate/pg_ctl" ]; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

install_programs() {
    find_programs && return 0
    say "installing Debian's postgresql"
    as_root apt-get update -qq >&2
    # The package must not start a cluster of its own.
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
    find_programs || die "no PostgreSQL found after installing Debian's postgresql"
}

server_pid() { # the PID of the running server, nothing when there is none
    local pid
    pid=$(head -1 "$data/postmaster.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ] || return 1
    echo "$pid"
}

url() {
    server_pid >/dev/null || return 1
    echo "postgres://lathe@127.0.0.1:$(sed -n 4p "$data/postmaster.pid")/lathe"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Starts the server on a port; succeeds when it answers.
start_on_port() {
    # The lock must not be inherited by the server: 9>&-.
    as_owner "$(find_programs)/pg_ctl" --pgdata "$data" --silent --wait --timeout 60 --log "$folder/server.log" \
        --options "-c listen_addresses=127.0.0.1 -c port=$1 -c unix_socket_directories= -c max_connections=300 -c fsync=on" \
        start >&2 9>&-
}

start() {
    local programs port attempt
    programs=$(install_programs)
    mkdir -p "$cache"
    exec 9>"$cache/postgres-$name.lock"
    flock 9
    url 2>/dev/null && return 0
    mkdir -p "$folder"
    if [ "$(id -u)" = 0 ]; then
        as_owner true # names the user
        if id postgres >/dev/null 2>&1; then user=postgres; else user=nobody; fi
        chown "$user" "$folder"
    fi
    chmod 700 "$folder"
    if [ ! -f "$data/PG_VERSION" ]; then
        rm -rf "$data"
        as_owner "$programs/initdb" --pgdata "$data" --username lathe --auth trust --encoding UTF8 --locale C.UTF-8 \
            >"$cache/postgres-$name.log" 2>&1 || { cat "$cache/postgres-$name.log" >&2; die "initdb failed"; }
    fi
    # Another process may take the port between the look and the start: try again.
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        if start_on_port "$port"; then
            echo "$port" >"$folder/port"
            as_owner "$programs/psql" --no-psqlrc --quiet --host 127.0.0.1 --port "$port" --username lathe --dbname postgres \
                --tuples-only --command "select 1 from pg_database where datname = 'lathe'" | grep -q 1 ||
                as_owner "$programs/createdb" --host 127.0.0.1 --port "$port" --username lathe lathe
            url && return 0
        fi
        say "start $attempt failed"
    done
    tail -20 "$folder/server.log" >&2
    die "PostgreSQL does not start"
}

halt() { # signal
    local pid
    pid=$(server_pid) || return 0
    kill "-$1" "$pid"
    for _ in $(seq 400); do [ -d "/proc/$pid" ] || return 0; sleep 0.05; done
    die "server $pid does not stop"
}

resume() {
    [ -f "$folder/port" ] || die "there is no server to resume"
    url 2>/dev/null && return 0
    start_on_port "$(cat "$folder/port")" || die "PostgreSQL does not start again"
    url
}

stop() {
    halt INT # a fast, clean shutdown
    rm -rf "$folder"
}

case "${1:-}" in
    install) install_programs ;;
    start) start ;;
    url) url ;;
    halt) halt QUIT ;;
    resume) resume ;;
    stop) stop ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
