#!/usr/bin/env bash
# Installs what is missing, then shows SR4IR at work on a small data set of handwritten digits: makes the data, trains
# SR4IR and the bilinear baseline, tests both, prints a table and the path of a picture. What is there already is reused.
set -euo pipefail
cd "$(dirname "$0")/.."
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

for name in l2t_fpn_x4_demo sr4ir_fpn_edsr_x4_demo; do
  pictures=()
  [ "$name" = l2t_fpn_x4_demo ] || pictures=(--show-dir "$out/$name/pictures")
  config=configs/demo/$name.py
  step "train $config"
  run "$out/$name-train.log" tools/train.py "$config" --work-dir "$out/$name" --seed 0 --resume
  step "test $config"
  run "$out/$name-test.log" tools/test.py "$config" "$(cat "$out/$name/last_checkpoint")" \
    --work-dir "$out/$name/test" "${pictures[@]}"
done

"$PYTHON" - "$out" <<'EOF'
import json, pathlib, sys

out = pathlib.Path(sys.argv[1])
print('\n| method | mIoU | PSNR |\n|---|---|---|')
for title, name in (('bilinear (L→T)', 'l2t_fpn_x4_demo'), ('SR4IR', 'sr4ir_fpn_edsr_x4_demo')):
    newest = max((out / name / 'test').glob('*/*.json'))  # folders are named by the time
    metrics = json.loads(newest.read_text().splitlines()[-1])
    print(f"| {title} | {metrics['mIoU']:.1f} | {metrics['PSNR']:.2f} dB |")
print(f"\nPictures: {out / 'sr4ir_fpn_edsr_x4_demo/pictures/overview.png'}")
EOF
