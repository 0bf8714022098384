#!/usr/bin/env bash
# Train with several processes: dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# NNODES, NODE_RANK, MASTER_ADDR and PORT, where several machines take part. Without a GPU: so many processes on the CPU.
set -euo pipefail
exec "$(dirname "$0")/dist_run.sh" train.py "${2:?usage: dist_train.sh CONFIG GPUS [ARGUMENTS]}" "$1" "${@:3}"
