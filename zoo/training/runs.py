"""Names of what a training can be asked for, known without importing Keras."""

from __future__ import annotations

OPTIMIZERS = ("adagrad", "adam")
SCHEDULES = ("constant", "cosine")

IMPLIED = {"optimizer": "adagrad", "schedule": "constant"}
"""Settings of runs that were begun before these could be set."""
