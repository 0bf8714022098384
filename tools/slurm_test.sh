#!/usr/bin/env bash
# Test on a Slurm cluster: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
# Variables as of slurm_train.sh.
set -euo pipefail
: "${4:?usage: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENTS]}"
exec "$(dirname "$0")/slurm_run.sh" "$1" "$2" test.py "$3" "$4" "${@:5}"
