#!/usr/bin/env bash
# Makes the Python environment of the client tests, the example and the benches, and prints its folder.
#
#   source "$(scripts/python-env.sh)/bin/activate"      make it if it is missing, then print its folder
#   scripts/python-env.sh --lock                        rewrite requirements.txt from requirements.in
#
# The environment lives outside the clone, in a folder named by the hash of the pinned requirements and of the Python
# version: a changed pin makes a new environment, an unchanged one costs a few milliseconds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirements=$root/tests/clients/requirements.txt
cache=${LATHE_CACHE:-$HOME/.cache/lathe}
python=${LATHE_PYTHON:-python3}
uv_version=0.13.9

say() { echo "python-env: $*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian ships Python without the module that fills a new environment.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "installing python3-venv"
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv >&2
fi

version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
hash=$( (cat "$requirements" 2>/dev/null || true; echo "$version") | sha256sum | cut -c1-12)
folder=$cache/venv-$hash
if [ "${1:-}" != --lock ] && [ -f "$folder/.complete" ]; then
    echo "$folder"
    exit 0
fi

mkdir -p "$cache"
# Two callers at once: the second waits and then finds the work done.
exec 9>"$cache/venv.lock"
flock 9

# uv installs the same packages from the same registry as pip, about ten times faster.
bootstrap=$cache/bootstrap-$version-$uv_version
if [ ! -x "$bootstrap/bin/uv" ]; then
    rm -rf "$bootstrap"
    "$python" -m venv "$bootstrap"
    "$bootstrap/bin/pip" install --quiet --disable-pip-version-check "uv==$uv_version" >&2
fi

if [ "${1:-}" = --lock ]; then
    "$bootstrap/bin/uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-find-links \
        "$root/tests/clients/requirements.in" --output-file "$requirements"
    exit 0
fi

if [ ! -f "$folder/.complete" ]; then
    say "making $folder (Python $version, once; about a minute)"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$bootstrap/bin/uv" pip install --quiet --python "$folder/bin/python" --compile-bytecode -r "$requirements" >&2
    touch "$folder/.complete"
fi
echo "$folder"
