#!/usr/bin/env bash
# Checks style (ruff), types (mypy) and the direction of imports (import-linter) as pyproject.toml configures them.
#   bash tools/lint.sh          checks
#   bash tools/lint.sh --fix    corrects what ruff can correct, then checks
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/install.sh

run() { "$PYTHON" -m "$@"; }

if [ "${1:-}" = --fix ]; then
  run ruff check --fix .
  run ruff format .
fi
run ruff check .
run ruff format --check .
run mypy
"$(dirname "$PYTHON")/lint-imports"
