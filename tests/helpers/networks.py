"""Small networks in the thesis' order of layers, and inputs for them."""

from __future__ import annotations

import keras
import numpy as np

from zoo.models.classifiers import classifier

SHAPE = (24, 6, 1)


def network(padding="valid", channels=1, seed=0):
    """Two triplets of convolution, ReLU and pooling, then fully-connected layers."""
    keras.utils.set_random_seed(seed)
    model = classifier(
        filters=(4, 6),
        kernel_sizes=((5, None), (3, None)),
        pool_sizes=((3, 1), (3, 1)),
        pool_strides=((2, 1), (2, 1)),
        dense_units=(10, 10),
        padding=padding,
        order="act_pool",
        input_shape=(*SHAPE[:2], channels),
        classes=5,
        name="small",
    )
    # As large as trained ones, so that what a layer does is no smaller than its input.
    model.set_weights([3 * w for w in model.get_weights()])
    return model


def spectrograms(count=4, channels=1, seed=1):
    """Blobs in frequency and time on a little noise, centred."""
    rng = np.random.default_rng(seed)
    rows, frames = np.arange(SHAPE[0])[:, None], np.arange(SHAPE[1])[None]
    shape = (count, 1, 1)
    row, frame = rng.uniform(0, SHAPE[0], shape), rng.uniform(0, SHAPE[1], shape)
    x = np.exp(-((rows - row) ** 2) / 8 - (frames - frame) ** 2 / 4)
    x = x + 0.05 * rng.normal(size=x.shape)
    x = np.repeat((x - x.mean())[..., None], channels, axis=-1)
    return x.astype("float32")
