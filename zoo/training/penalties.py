"""Terms on an autoencoder's code that are added to its objective while it is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo.models.encoders import encoder_of

STEP = 1e-3
"""Length of the difference that a directional derivative is taken over, in the input's units."""


def squared_jacobian(encode: Callable[[Any], Any], x, directions, code=None):
    """Squared length of the code's directional derivatives, one number for each example.

    For directions drawn from a standard normal distribution its expectation is the squared
    Frobenius norm of the code's Jacobian (Hutchinson's estimate). The derivative is a forward
    difference, exact between the kinks of piecewise linear networks up to rounding, so that no
    gradient of a gradient is needed and every backend computes the same.

    Args:
        encode: x -> code.
        x: (N, ...) inputs.
        directions: like x.
        code: `encode(x)`, where it is known.

    Returns:
        (N,).

    Reference: Rifai et al., "Contractive auto-encoders", ICML 2011; Hutchinson, "A stochastic
    estimator of the trace of the influence matrix", 1989.
    """
    code = encode(x) if code is None else code
    change = (encode(x + STEP * directions) - code) / STEP
    return ops.sum(ops.square(change), axis=tuple(range(1, len(change.shape))))


@keras.saving.register_keras_serializable(package="zoo")
class PenalisedAutoencoder(keras.Model):
    """An autoencoder whose training loss has terms on its code.

    Args:
        autoencoder: one of the zoo's; its layers are the trained ones.
        sparse: factor on the sum of the code's magnitudes (L1), averaged over examples.
        contractive: factor on the squared Frobenius norm of the code's Jacobian, estimated by one
            random direction an example and step (`squared_jacobian`).

    Reference: Riemens (2015), section 8, which proposes both.
    """

    def __init__(
        self,
        autoencoder: keras.Model,
        sparse: float = 0.0,
        contractive: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.autoencoder = autoencoder
        self.sparse = sparse
        self.contractive = contractive
        self.directions = keras.random.SeedGenerator(0)
        encoder = encoder_of(autoencoder)
        # A function, not an attribute that Keras would track: its layers are the autoencoder's.
        self._encode = lambda x: encoder(x)
        self.build(autoencoder.input_shape)

    def build(self, input_shape) -> None:
        """All weights are the autoencoder's."""
        self.built = True

    def call(self, inputs, training=None):
        """Reconstruct."""
        return self.autoencoder(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
        """The objective, and in training the terms on the code."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        code = self._encode(x)
        if self.sparse:
            magnitudes = ops.sum(ops.abs(code), axis=tuple(range(1, len(code.shape))))
            loss = loss + self.sparse * ops.mean(magnitudes)
        if self.contractive:
            directions = keras.random.normal(ops.shape(x), seed=self.directions)
            jacobian = squared_jacobian(self._encode, x, directions, code)
            loss = loss + self.contractive * ops.mean(jacobian)
        return loss

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "autoencoder": keras.saving.serialize_keras_object(self.autoencoder),
            "sparse": self.sparse,
            "contractive": self.contractive,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None):
        """Restore from `get_config`."""
        autoencoder = keras.saving.deserialize_keras_object(config["autoencoder"], custom_objects)
        return cls(**{**config, "autoencoder": autoencoder})
