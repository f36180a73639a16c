#!/usr/bin/env bash
# Makes requirements/*.txt anew: one lock for Python 3.11 to 3.13 with the hash of every file, and no host names.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool" && "$tool/bin/pip" -q install uv
for name in build runtime demo dev; do
  "$tool/bin/uv" pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate \
    --custom-compile-command "make lock" -q "requirements/$name.in" -o "requirements/$name.txt" "$@"
done
