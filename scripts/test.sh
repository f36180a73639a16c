#!/usr/bin/env bash
# Runs every test. What a test needs from the system is installed here on Debian as root; otherwise the command is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    echo "installing $2 (for $1)"
    [ -n "${updated:-}" ] || { apt-get update -qq && updated=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
  else
    echo "The tests need $1. Run: sudo apt-get install $2" >&2
    exit 2
  fi
}
need chromium chromium
need git git
need openssl openssl

export HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1
rm -f .coverage .coverage.*
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
exec .venv/bin/python -m pytest -n "${TEST_WORKERS:-2}" --dist loadgroup --cov --cov-report=term:skip-covered tests
