#!/usr/bin/env bash
# Installs the locked runtime under each other Python from 3.11 to 3.13 that is here, and runs the tests that need no server.
set -euo pipefail
cd "$(dirname "$0")/.."
own=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for version in 3.11 3.12 3.13; do
  [ "$version" = "$own" ] && continue
  python=""
  for candidate in "python$version" "${PYENV_ROOT:-/nonexistent}"/versions/"$version".*/bin/python; do
    if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" >/dev/null 2>&1; then python=$candidate; break; fi
  done
  if [ -z "$python" ]; then echo "Python $version is not on this machine: not run"; continue; fi
  home=$(mktemp -d)
  "$python" -m venv "$home/venv"
  "$home/venv/bin/pip" --disable-pip-version-check install -q --require-hashes -r requirements/build.txt -r requirements/dev.txt
  "$home/venv/bin/pip" --disable-pip-version-check install -q --no-deps --no-build-isolation .
  "$home/venv/bin/python" -m pytest -q -p no:cacheprovider tests/evidence tests/checkpoint tests/inspection tests/policy tests/tlog tests/hub \
    tests/cli/test_release.py tests/cli/test_verify.py
  rm -rf "$home"
done
