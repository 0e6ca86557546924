#!/bin/bash
# A search over several nodes: sbatch tuning/deploy/slurm.sh
# The first task is the chief, the others are workers, a GPU each. PREPARED and STUDY lie on a file
# system that all nodes share. The same command resumes an interrupted search.
#SBATCH --job-name=zoo-tune
#SBATCH --ntasks=5
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=4G
#SBATCH --gpus-per-task=1
#SBATCH --time=08:00:00
#SBATCH --output=zoo-tune-%j.log
set -euo pipefail

MODEL=${MODEL:-freq_fullpad}
PREPARED=${PREPARED:?the prepared set}
STUDY=${STUDY:?the folder of the study}
PORT=${PORT:-8900}
CHIEF=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MODEL PREPARED STUDY PORT CHIEF

# Exported by srun: SLURM_PROCID is the task's number.
srun --kill-on-bad-exit=0 bash -c '
  if [ "$SLURM_PROCID" -eq 0 ]; then
    exec zoo tune "$MODEL" --data "$PREPARED" --out "$STUDY" --tuner bayesian --max-trials 100 \
      --chief "$CHIEF:$PORT"
  fi
  until [ -f "$STUDY/study.json" ]; do sleep 5; done
  exec zoo tune --join "$CHIEF:$PORT" --out "$STUDY"
'
