#!/usr/bin/env bash
# Installs what is missing and runs the tests, one process for each of up to four cores; arguments go to pytest
# (-m "" adds the slow ones, -n 0 runs all in one process, as -s does, whose output would be lost otherwise).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/install.sh

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # the networks of the tests are too small for more
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 # no test needs a network: a look-up that slips in fails at once
case " $* " in
*" -s "* | *" -n "*) ;;
*) set -- -n auto --maxprocesses 4 "$@" ;;
esac
"$PYTHON" -m pytest "$@"
