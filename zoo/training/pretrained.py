"""The encoder that a training starts from."""

from __future__ import annotations

import dataclasses

import keras

from zoo.data.features.frontend import Frontend
from zoo.data.sets.prepared import Prepared
from zoo.errors import UsageError
from zoo.files import sha256
from zoo.models.encoders import copy_encoder
from zoo.registry import build
from zoo.runs import load, network_file, resolve


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A trained model whose encoder initialises another one's.

    Attributes:
        model: a classifier or autoencoder.
        identity: SHA-256 of the file that it came from.
    """

    model: keras.Model
    identity: str

    @classmethod
    def of(cls, encoder: str | None, name: str, prepared: Prepared) -> Pretrained | None:
        """Load the model; None if the settings name none.

        Args:
            encoder: a run folder, name of weights that ship or `.keras` file of any model with the
                same convolutions, or a `.weights.h5` file of the model `name` itself.
            name: name of the model to be initialised.
            prepared: what that will be trained on.

        Raises:
            UsageError: there is no such encoder, or it takes another representation.
        """
        if encoder is None:
            return None
        path = resolve(encoder)
        if Frontend.is_in(path):
            theirs = Frontend.load(path).representation
            if theirs != prepared.frontend.representation:
                raise UsageError(
                    f"the encoder {encoder} takes the representation "
                    f"{theirs['representation']!r} and {prepared.path} holds "
                    f"{prepared.frontend.kind!r}, or with other settings; prepare the corpus with "
                    f"--like {encoder}."
                )
        model = build(name, weights=path) if path.name.endswith(".weights.h5") else load(path)
        return cls(model, sha256(network_file(path)))

    def into(self, model: keras.Model) -> list[str]:
        """Copy the encoder's layers; returns the names of the layers that both models have."""
        return copy_encoder(self.model, model)

    def wholly_into(self, model: keras.Model) -> None:
        """Copy all weights, the last layer's too.

        Raises:
            UsageError: the two networks are not of one kind.
        """
        given = self.model.get_weights()
        shapes = [[tuple(w.shape) for w in weights] for weights in (given, model.get_weights())]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"the weights of {self.model.name} do not fit {model.name} for this set "
                f"({self.model.count_params():,} and {model.count_params():,} "
                "parameters); --encoder takes the layers that both networks have."
            )
        model.set_weights(given)
