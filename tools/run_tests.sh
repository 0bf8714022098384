#!/usr/bin/env bash
# Installs what is missing and runs the tests; arguments go to pytest (-m "" adds the slow ones).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/install.sh

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(getconf _NPROCESSORS_ONLN)}"
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 # no test needs a network: a look-up that slips in fails at once
"$PYTHON" -m pytest "$@"
