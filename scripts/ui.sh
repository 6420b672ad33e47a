#!/usr/bin/env bash
# The web UI: ui.sh install | build | test. Packages are installed once for each lock file.
set -euo pipefail
cd "$(dirname "$0")/../ui"

install() {
  local stamp=node_modules/.installed-from
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(sha256sum package-lock.json)" ]; then
    npm ci --no-audit --no-fund --loglevel=error
    sha256sum package-lock.json > "$stamp"
  fi
}

# What a build is made of, and what it made.
state() {
  {
    node --version
    find src public index.html scripts package.json package-lock.json tsconfig*.json vite.config.ts -type f 2>/dev/null | LC_ALL=C sort | xargs -d '\n' sha256sum
    find dist -type f 2>/dev/null | LC_ALL=C sort | xargs -r -d '\n' sha256sum
  } | sha256sum
}

# Files that are written again, even with the same content, would have the server compiled again that holds them.
build() {
  local stamp=node_modules/.built
  if [ -f dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(state)" ]; then
    echo "ui: dist is what the sources make"
    return
  fi
  npm run --silent build
  npm run --silent size
  state > "$stamp"
}

case "${1:-}" in
  install) install ;;
  build) install; build ;;
  test) install; npm run --silent check; npm test --silent ;;
  *) sed -n 2p "$0"; exit 2 ;;
esac
