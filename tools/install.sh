#!/usr/bin/env bash
# Installs what the project needs into the active virtual or conda environment, else into .venv at the repository's root
# (.venv-torch2.9.1 where SR4IR_TORCH=2.9.1 asks for that torch: each choice has a folder of its own).
#   bash tools/install.sh     installs, and prints the path of the environment's Python
#   . tools/install.sh        the same from another script: sets $PYTHON to it, or exits
# Once everything is in place a run takes a moment; an interrupted one is continued by the next.
#
# Variables that change what it does:
#   PYTHON             Python 3.10 to 3.12 to create the environment with
#   SR4IR_TORCH        version of torch: 2.1.2 (Python 3.10 and 3.11, their default) or 2.9.1 (3.11 and 3.12)
#   MMCV_FIND_LINKS    page or folder with prebuilt mmcv wheels, so that nothing has to be compiled, for example
#                      https://download.openmmlab.com/mmcv/dist/cu121/torch2.1/index.html
#   FORCE_CUDA         1: compile mmcv's CUDA operators though no GPU is visible; 0: leave them out though one is
#   MAX_JOBS           how many compilers run at once (one for each core)
#   SR4IR_WHEEL_CACHE  where a compiled mmcv is kept for other clones (~/.cache/sr4ir_mm)
#   SR4IR_TORCH_INDEX  extra package index to take torch from, for another build of it
#   SR4IR_MIN_DISK_GB  free space to ask for before torch is installed (12)

if [ "${BASH_SOURCE[0]}" != "$0" ]; then # sourced: a process of its own leaves nothing behind in the caller but PYTHON
  PYTHON=$(bash "${BASH_SOURCE[0]}") || exit 1
  return
fi

set -euo pipefail
exec 3>&1 1>&2 # stdout carries only the path at the end
root=$(cd "$(dirname "$0")/.." && pwd)
requirements='' # requirements.txt with one torch: known once the environment is
wheel_cache=${SR4IR_WHEEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-$root}/.cache}/sr4ir_mm}

# ---- helpers -----------------------------------------------------------------------------------------------------

die() {
  echo "error: $*"
  exit 1
}

fail() { # a step failed whose output is in the log
  printf '\nThe last lines of %s:\n' "$log"
  tail -n 20 "$log"
  echo
  ! grep -q 'No space left' "$log" ||
    die "the disk is full: free some space (pip also writes to ${TMPDIR:-/tmp} and to its cache) and run this again"
  die "$*; the whole log is $log"
}

pip() { PIP_PROGRESS_BAR=off "$python" -m pip --disable-pip-version-check --no-input "$@" >>"$log" 2>&1 </dev/null; }

pinned() { sed -n "s/^$1==\([^ ]*\).*/\1/p" "$requirements"; }

check_disk() {
  local need=${SR4IR_MIN_DISK_GB:-12} free
  free=$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free" -ge "$need" ] || die "$1 has $free GB of free disk space, the installation needs $need GB"
}

check_compiler() {
  local name header
  header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
  [ -f "$header" ] || die "mmcv must be compiled and Python's headers are missing, $header (Debian and Ubuntu: python3-dev)"
  for name in ${CXX:+"$CXX"} c++ g++ clang++; do
    if command -v "${name%% *}" >/dev/null; then
      export CXX="$name" # torch looks for c++ only
      return
    fi
  done
  die "mmcv must be compiled and there is no C++ compiler (c++, g++ or clang++): install one" \
    "(Debian and Ubuntu: build-essential) or set MMCV_FIND_LINKS, see tools/install.sh"
}

# Writes requirements.txt with the torch of our choice, whatever the Python is, and the torchvision that belongs to it.
choose_torch() {
  local marker
  marker=$(sed -n "s/^torch==${torch//./\\.};\([^#]*[^# ]\).*/\1/p" "$root/requirements.txt")
  requirements=$env/.sr4ir_mm-requirements.txt
  awk -v marker="$marker" '
    !/^torch(vision)?==/ { print }
    /^torch(vision)?==/ && index($0, marker) { sub(/;.*/, ""); print }' "$root/requirements.txt" >"$requirements"
}

# mim looks for <site-packages>/sr4ir_mm/.mim, and an editable installation is elsewhere: a folder with that link alone.
link_for_mim() {
  local folder
  folder=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sr4ir_mm
  [ -f "$folder/__init__.py" ] || { mkdir -p "$folder" && ln -sfn "$root/sr4ir_mm/.mim" "$folder/.mim"; }
}

# `stamp write`: records that everything is installed. `stamp check`: whether that was done for these very files, and
# every requirement is still there at a permitted version.
stamp() {
  "$python" - "$1" "$root" "$env/.sr4ir_mm-installed" "${ops:-}" "$requirements" <<'EOF'
import hashlib, os, sys
from importlib.metadata import version
from packaging.requirements import Requirement

action, root, stamp, ops, requirements = sys.argv[1:]
digest = hashlib.sha256(root.encode())  # the package is installed from this very folder
for name in ('requirements.txt', 'pyproject.toml', 'tools/install.sh'):
    with open(os.path.join(root, name), 'rb') as f:
        digest.update(f.read())
digest.update((version('torch') + version('sr4ir_mm')).encode())
digest = digest.hexdigest()
with open(requirements) as f:
    for line in f:
        line = line.split('#')[0].strip()
        if not line or (r := Requirement(line)).marker and not r.marker.evaluate():
            continue
        if not r.specifier.contains(version(r.name), prereleases=True):
            sys.exit(f'{r} is wanted, {version(r.name)} is installed')
if action == 'write':
    with open(stamp, 'w') as f:
        f.write(f'{digest} {ops}')
else:
    with open(stamp) as f:
        found = f.read().split()
    sys.exit(found[:1] != [digest] or os.environ.get('FORCE_CUDA') == '1' and found[1:] != ['cuda'])
EOF
}

# ---- the environment ---------------------------------------------------------------------------------------------

version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null </dev/null; }

# Whether a Python, by its version, has the torch that is asked for.
allowed() {
  case ${SR4IR_TORCH:-any}/$1 in
    2.1.2/3.10.* | 2.1.2/3.11.* | 2.9.1/3.11.* | 2.9.1/3.12.* | any/3.10.* | any/3.11.* | any/3.12.*) ;;
    *) return 1 ;;
  esac
}

pythons() { # that are allowed, for a sentence
  case ${SR4IR_TORCH:-any} in
    any) echo 'Python 3.10, 3.11 or 3.12' ;;
    2.1.2) echo 'Python 3.10 or 3.11 for torch 2.1.2' ;;
    2.9.1) echo 'Python 3.11 or 3.12 for torch 2.9.1' ;;
  esac
}

create_venv() {
  local name version found=''
  check_disk "$root"
  for name in ${PYTHON:+"$PYTHON"} python3.11 python3.10 python3.12 python3; do
    version=$(version_of "$name") || continue # a name on PATH may be a shim that does not run
    if allowed "$version"; then
      "$name" -m venv --clear "$env" </dev/null ||
        die "$name could not create $env (on Debian and Ubuntu venv is a package of its own, python3-venv)"
      return
    fi
    found="$found${found:+, }$name $version"
  done
  die "sr4ir_mm needs $(pythons), found: ${found:-none}. Install one or name it, PYTHON=/path/to/python3.11"
}

find_env() {
  local version folder=.venv${SR4IR_TORCH:+-torch$SR4IR_TORCH} remedy
  case ${SR4IR_TORCH:-2.1.2} in 2.1.2 | 2.9.1) ;; *) die "SR4IR_TORCH is $SR4IR_TORCH; allowed: 2.1.2 and 2.9.1" ;; esac
  remedy="deactivate it to have $folder used"
  if [ -n "${VIRTUAL_ENV:-}" ]; then
    env=$VIRTUAL_ENV
  elif [ -n "${CONDA_PREFIX:-}" ] && [ "${CONDA_DEFAULT_ENV:-}" != base ]; then # base is active by default, not by choice
    env=$CONDA_PREFIX
  else
    env=$root/$folder
    remedy='delete that folder'
    version_of "$env/bin/python" >/dev/null || create_venv
  fi
  python=$env/bin/python
  log=$env/sr4ir_mm-install.log
  version=$(version_of "$python") || die "the environment $env has no Python that runs"
  allowed "$version" || die "$env has Python $version, sr4ir_mm needs $(pythons): $remedy"
  torch=${SR4IR_TORCH:-$("$python" -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])' 2>/dev/null)} ||
    true
  case $torch/$version in # asked for, or there already; else the default
    2.1.2/* | 2.9.1/3.1[12].*) ;;
    */3.12.*) torch=2.9.1 ;;
    *) torch=2.1.2 ;;
  esac
  choose_torch
}

# ---- mmcv --------------------------------------------------------------------------------------------------------

# Prints which operators mmcv is to have, cpu or cuda, and a name for wheels that fit this Python, torch and machine.
# pip's own cache does not know of torch's version and would hand out a wheel that does not load.
mmcv_key() {
  "$python" - 2>>"$log" <<'EOF'
import os, sys, sysconfig, torch

force = os.environ.get('FORCE_CUDA')
cuda = force == '1' or (force != '0' and torch.cuda.is_available())
key = ['cp%d%d' % sys.version_info[:2], f'torch{torch.__version__}', sysconfig.get_platform(), 'cuda' if cuda else 'cpu']
if cuda:
    gpus = {'%d.%d' % torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())}
    key.append(os.environ.get('TORCH_CUDA_ARCH_LIST', '').replace(' ', '_') or '_'.join(sorted(gpus)) or 'all')
print(key[3], '-'.join(key))
EOF
}

# Whether the pinned mmcv is installed and its operators load, CUDA's among them where they are wanted.
mmcv_works() {
  "$python" - "$(pinned mmcv)" "$ops" >>"$log" 2>&1 <<'EOF'
import sys
import mmcv.ops
sys.exit(mmcv.__version__ != sys.argv[1]
         or sys.argv[2] == 'cuda' and mmcv.ops.get_compiling_cuda_version() == 'not available')
EOF
}

# torch refuses an nvcc whose major version is not that of its own CUDA, but only once the build is under way.
check_nvcc() {
  local found
  found=$("$python" - 2>>"$log" <<'EOF'
import re, subprocess, torch
from torch.utils.cpp_extension import CUDA_HOME

want = (torch.version.cuda or '').split('.')[0]  # none: a ROCm build, which has no nvcc
text = subprocess.run([f'{CUDA_HOME}/bin/nvcc', '-V'], capture_output=True, text=True).stdout if CUDA_HOME else ''
release = re.search(r'release ((\d+)[.\d]*)', text)
if want and (not release or release[2] != want):
    print(f'nvcc of CUDA {want}, found:', release[1] if release else 'none')
EOF
  ) || found='an nvcc that runs'
  [ -z "$found" ] || die "compiling mmcv's CUDA operators needs $found. Install that CUDA toolkit and set CUDA_HOME," \
    "or set MMCV_FIND_LINKS, see tools/install.sh, or leave them out with FORCE_CUDA=0 (then no NMS, so no detector, on the GPU)"
}

build_mmcv() (
  export MMCV_WITH_OPS=1 MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}"
  export PATH="$env/bin:$PATH"                             # else ninja is not found and one file compiles at a time
  [ "$ops" = cuda ] || export CUDA_VISIBLE_DEVICES=-1      # to mmcv's setup.py FORCE_CUDA=0 means: look for a GPU
  pip wheel --no-build-isolation --no-deps --no-cache-dir --no-binary mmcv -w "$1" "mmcv==$(pinned mmcv)"
)

install_mmcv() {
  local version info kept wheel
  version=$(pinned mmcv)
  info=$(mmcv_key) || fail 'torch cannot be imported'
  ops=${info%% *}
  kept=$wheel_cache/${info#* }
  if mmcv_works; then
    echo "[4/5] mmcv $version is there, $ops operators included"
    return
  fi

  if [ -n "${MMCV_FIND_LINKS:-}" ]; then
    echo "[4/5] mmcv $version from $MMCV_FIND_LINKS"
    if pip install --no-index --no-deps --no-cache-dir --force-reinstall --only-binary mmcv \
      --find-links "$MMCV_FIND_LINKS" "mmcv==$version" && mmcv_works; then return; fi
    echo '      has no wheel that fits and loads'
  fi
  wheel=$(compgen -G "$kept/mmcv-$version-*.whl") || wheel=''
  if [ -n "$wheel" ]; then
    echo "[4/5] mmcv $version from $wheel"
    if pip install --no-deps --force-reinstall "$wheel" && mmcv_works; then return; fi
    echo '      does not load'
  fi

  check_compiler
  [ "$ops" = cpu ] || check_nvcc
  echo "[4/5] mmcv $version: compiling its $ops operators takes minutes (those for the CPU 7 to 15 on 2 cores)"
  built=$(mktemp -d) # not local: the trap runs when this function is over
  trap 'rm -rf "$built"' EXIT
  build_mmcv "$built" || fail 'mmcv could not be compiled'
  wheel=$(compgen -G "$built/mmcv-*.whl")
  pip install --no-deps --force-reinstall "$wheel" || fail 'the compiled mmcv could not be installed'
  mmcv_works || fail 'mmcv was compiled, but its operators do not load'
  # Kept only now that it is known to load, and under its name only when it is whole.
  { mkdir -p "$kept" && cp "$wheel" "$kept/.$$" && mv "$kept/.$$" "$kept/${wheel##*/}"; } 2>>"$log" ||
    echo "      its wheel could not be kept in $kept"
}

# ---- all of it ---------------------------------------------------------------------------------------------------

install_all() {
  : >"$log"
  rm -f "$env/.sr4ir_mm-installed"
  echo "[1/5] Python $(version_of "$python") in $env"
  "$python" -c 'import torch' 2>/dev/null || check_disk "$env"
  # Rather now than after the downloads.
  [ -n "${MMCV_FIND_LINKS:-}" ] || compgen -G "$wheel_cache/*/mmcv-*.whl" >/dev/null ||
    "$python" -c 'import mmcv.ops' 2>/dev/null || check_compiler
  pip --version || "$python" -m ensurepip >>"$log" 2>&1 || fail 'the environment has no pip'
  pip install -c "$requirements" setuptools wheel ninja packaging || fail 'setuptools could not be installed'

  echo "[2/5] torch $(pinned torch), torchvision $(pinned torchvision)"
  pip install -c "$requirements" ${SR4IR_TORCH_INDEX:+--extra-index-url "$SR4IR_TORCH_INDEX"} torch torchvision numpy ||
    fail 'torch could not be installed'

  echo '[3/5] MMEngine, mmseg, mmdet, mmpretrain, mmagic and what they import'
  pip install -r <(grep -v '^mmcv==' "$requirements") || fail 'the libraries could not be installed'
  # The OpenCV builds share the folder cv2, and what was installed last is used: let it be the one without a GUI, since the
  # others need libGL, which servers lack.
  "$python" -c 'import cv2, re, sys; sys.exit(not re.search("GUI: +NONE", cv2.getBuildInformation()))' >>"$log" 2>&1 ||
    pip install --no-deps --force-reinstall "opencv-python-headless==$(pinned opencv-python-headless)" ||
    fail 'OpenCV could not be installed'

  install_mmcv

  echo '[5/5] sr4ir_mm, and a check of everything'
  # a plain path file (compat): mim looks for the package in site-packages, where a folder with its links may then stand
  pip install --no-deps --no-build-isolation --config-settings editable_mode=compat -e "$root" ||
    fail 'sr4ir_mm could not be installed'
  link_for_mim
  pip check || fail 'pip check found packages that do not fit together'
  "$python" -c 'import mmengine, mmcv.ops, mmdet.models, mmseg.models, mmpretrain.models, mmagic.models' >>"$log" 2>&1 ||
    fail 'the libraries are installed but cannot be imported'
  stamp write >>"$log" 2>&1 || fail 'what is installed is not what requirements.txt asks for'
}

find_env
stamp check 2>/dev/null || install_all
echo "$python" >&3
