#!/usr/bin/env bash
# Test with several processes: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
# Variables as of dist_train.sh.
set -euo pipefail
exec "$(dirname "$0")/dist_run.sh" test.py "${3:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [ARGUMENTS]}" "$1" "$2" "${@:4}"
