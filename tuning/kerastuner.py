"""All imports of keras-tuner's private parts, in one place for updates.

Its public names (`keras_tuner.HyperParameters`, oracles, errors) are used where they are needed.
On a Keras backend other than TensorFlow it imports no TensorFlow.
"""

from __future__ import annotations

from keras_tuner.engine.hyperparameters import Boolean
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient

__all__ = ["Boolean", "OracleClient", "OracleServicer", "Trial", "TrialStatus", "protos"]
