#!/usr/bin/env bash
# Installs what is missing and runs the tests in up to four processes, as many as there are cores for OMP_NUM_THREADS (1)
# threads each; arguments go to pytest (-m "" adds the slow ones, -n 0 runs all in one process, as -s does, whose output
# would be lost otherwise).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/install.sh

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # the networks of the tests are too small for more
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 # no test needs a network: a look-up that slips in fails at once
processes=$(($(getconf _NPROCESSORS_ONLN) / OMP_NUM_THREADS))
case " $* " in
*" -s "* | *" -n "*) ;;
*) [ "$processes" -lt 2 ] || set -- -n "$((processes < 4 ? processes : 4))" "$@" ;;
esac
"$PYTHON" -m pytest "$@"
