"""The encoder that a training starts from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras

from zoo.data.frontend import FILE_NAME, Frontend
from zoo.data.prepared import Prepared
from zoo.errors import UsageError
from zoo.files import sha256
from zoo.models.encoders import copy_encoder
from zoo.registry import build
from zoo.saving import load, model_path


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A trained model whose encoder initialises another one's.

    Attributes:
        model: a classifier or autoencoder.
        identity: SHA-256 of the file that it came from; of weights that ship, their name.
    """

    model: keras.Model
    identity: str

    @classmethod
    def of(cls, encoder: str | None, name: str, prepared: Prepared) -> Pretrained | None:
        """Load it, None where there is none.

        Args:
            encoder: a run folder or `.keras` file of any model with the same convolutions, or a
                `.weights.h5` file or name of weights of the model `name` itself.
            name: of the model to be initialised.
            prepared: what that will be trained on.

        Raises:
            UsageError: there is no such encoder, or it takes another representation.
        """
        if encoder is None:
            return None
        path = Path(encoder)
        if (path / FILE_NAME).is_file():
            theirs = Frontend.load(path).representation
            if theirs != prepared.frontend.representation:
                raise UsageError(
                    f"the encoder {encoder} takes the representation "
                    f"{theirs['representation']!r} and {prepared.path} holds "
                    f"{prepared.frontend.kind!r}, or with other settings; prepare the corpus with "
                    f"--like {encoder}."
                )
        if not path.exists() or path.name.endswith(".weights.h5"):
            model = build(name, weights=encoder)
        else:
            model = load(path)
        return cls(model, sha256(model_path(path)) if path.exists() else encoder)

    def into(self, model: keras.Model) -> list[str]:
        """Copy the encoder's layers; returns the names of those that both have."""
        return copy_encoder(self.model, model)
