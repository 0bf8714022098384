#!/usr/bin/env bash
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
# Train on a Slurm cluster for longer than a job may last. In the folder of the project:
#   sbatch -p PARTITION -t 8:00:00 --gres=gpu:8 --ntasks=8 --cpus-per-task=5 tools/slurm_requeue.sh \
#       PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]
# 300 seconds before the time is over, the training writes a checkpoint and ends, and the job is put into the queue again.
set -uo pipefail
: "${4:?usage: sbatch [OPTIONS] tools/slurm_requeue.sh PARTITION JOB_NAME CONFIG WORK_DIR [ARGUMENTS]}"
# Slurm runs a copy of this script from another folder, so the path begins where sbatch was called
tools/slurm_train.sh "$@" --resume &
training=$!
requeue= code=0
# srun passes a signal on to each process. After scancel, which sends no USR1, the job stays cancelled
trap 'requeue=1; kill -USR1 "$training"' USR1
trap 'kill -TERM "$training"' TERM
while kill -0 "$training" 2>/dev/null; do
    code=0
    wait "$training" || code=$?  # a signal interrupts it
done
if [ -n "$requeue" ] && [ "$code" = 75 ]; then  # a checkpoint is written, and there is more to train
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
