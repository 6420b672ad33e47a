#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; installs Debian's package when there is none.
# LATHE_CHROMIUM names another one.
set -euo pipefail

find_chromium() {
    local candidate
    for candidate in "${LATHE_CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
        [ -n "$candidate" ] && command -v "$candidate" && return 0
    done
    return 1
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! find_chromium; then
    echo "chromium: installing Debian's chromium" >&2
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >&2
    find_chromium || { echo "chromium: not found after the installation" >&2; exit 1; }
fi
