#!/usr/bin/env bash
# Installs what is missing, then shows SR4IR at work on a small data set of handwritten digits: makes the data, trains
# SR4IR and the bilinear baseline, tests both, prints a table and the path of a picture. What is there already is reused.
#   bash tools/quickstart.sh             one training of each, with seed 0
#   bash tools/quickstart.sh 0 1 2 3 4   one for each seed; the table has mean, lowest and highest
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=("${@:-0}")
for seed in "${seeds[@]}"; do
  [[ $seed =~ ^[0-9]+$ ]] || {
    echo "error: '$seed' is not a seed; allowed are whole numbers from 0: bash tools/quickstart.sh 0 1 2"
    exit 1
  }
done
. tools/install.sh

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(getconf _NPROCESSORS_ONLN)}"
out=work_dirs/quickstart
mkdir -p "$out"

step() { printf '\n== %s\n' "$*"; }

# Runs a tool with its whole output in a file; of that, shows the progress.
run() {
  local log=$1
  shift
  : >"$log"
  "$PYTHON" "$@" >"$log" 2>&1 &
  local pid=$! # stopped with this script, not left behind
  trap 'kill $pid 2>/dev/null || true' EXIT
  tail -n +1 -f --pid=$pid "$log" | grep --line-buffered -oE 'Epoch\((train|test|val)\).*' || true
  trap - EXIT
  wait $pid || {
    tail -n 20 "$log"
    echo "error: $1 failed; the whole output is in $log"
    exit 1
  }
}

step 'demo data'
"$PYTHON" tools/make_demo_data.py data/demo

config=configs/demo/sr4ir_fpn_edsr_x4_demo.py

folder() { # of a protocol and a seed
  [ "$2" = 0 ] && echo "$out/$1" || echo "$out/$1_seed_$2"
}

for seed in "${seeds[@]}"; do
  for protocol in l2t sr4ir; do
    dir=$(folder "$protocol" "$seed")
    pictures=()
    [ "$protocol" = l2t ] || pictures=(--show-dir "$dir/pictures")
    step "train $config --protocol $protocol, seed $seed"
    run "$dir-train.log" tools/train.py "$config" --protocol "$protocol" --work-dir "$dir" --seed "$seed" --resume
    step "test $config --protocol $protocol, seed $seed"
    run "$dir-test.log" tools/test.py "$config" "$(cat "$dir/last_checkpoint")" --protocol "$protocol" \
      --work-dir "$dir/test" --out "$dir/test.json" "${pictures[@]}"
  done
done

"$PYTHON" tools/quickstart_table.py "$out" "${seeds[@]}"
echo "Pictures: $(folder sr4ir "${seeds[0]}")/pictures/overview.png"
