"""A zoo of convolutional phone classifiers and autoencoders for Keras 3.

Nothing heavy is imported until it is used: `import zoo` imports neither Keras nor TensorFlow. If
the user chose no backend, it makes Keras use one that is installed (see `zoo.startup`).

Example:
    >>> import zoo
    >>> model = zoo.build("freq_fullpad")
    >>> model.output_shape
    (None, 48)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.kerasnames import offer_to_keras
from zoo.lazy import lazily
from zoo.machine import VERSION
from zoo.registry import ModelCard, build, describe, list_models, register
from zoo.startup import choose_backend

if TYPE_CHECKING:
    from zoo.alignment import align, load_aligner
    from zoo.inference import classify
    from zoo.registry import load_encoder
    from zoo.runs import Run, load
    from zoo.transcription import load_recognizer, transcribe

__version__ = VERSION

choose_backend()
offer_to_keras()

__all__ = [
    "ModelCard",
    "Run",
    "align",
    "build",
    "classify",
    "describe",
    "list_models",
    "load",
    "load_aligner",
    "load_encoder",
    "load_recognizer",
    "register",
    "transcribe",
]

__getattr__ = lazily(
    __name__,
    {
        "Run": "zoo.runs",
        "align": "zoo.alignment",
        "load_aligner": "zoo.alignment",
        "alignment": "zoo.alignment",
        "load": "zoo.runs",
        "load_encoder": "zoo.registry",
        "classify": "zoo.inference",
        "load_recognizer": "zoo.transcription",
        "transcribe": "zoo.transcription",
        "data": "zoo.data",
        "errors": "zoo.errors",
        "evaluation": "zoo.evaluation",
        "inversion": "zoo.inversion",
        "layers": "zoo.layers",
        "models": "zoo.models",
        "ops": "zoo.ops",
        "training": "zoo.training",
    },
)
