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

case "${1:-}" in
  install) install ;;
  build) install; npm run --silent build; npm run --silent size ;;
  test) install; npm run --silent check; npm test --silent ;;
  *) sed -n 2p "$0"; exit 2 ;;
esac
