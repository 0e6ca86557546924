"""Runs that transcribe, without training: linear networks fitted to a set's frames at once."""

from __future__ import annotations

import numpy as np


def make_recognizer(folder, prepared, *, window=None, split="train", decoder=True):
    """Write a run whose network names most frames of `split` right.

    Args:
        folder: of the run.
        prepared: of whole recordings.
        window: frames of a window around each frame; None: a network of whole recordings.
        split: whose labels the network is fitted to.
        decoder: count one from the same labels.
    """
    import keras
    from keras import layers

    from zoo.decoding import Decoder
    from zoo.runs import Run

    rows, _, channels = prepared.shape
    classes = len(prepared.classes)
    x = np.concatenate(list(prepared.features(split)), axis=1).reshape(rows * channels, -1).T
    labels = prepared.labels(split)
    known = labels >= 0
    x = np.column_stack([x[known], np.ones(known.sum())])
    wanted = np.eye(classes)[labels[known]]
    weights = np.linalg.solve(x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ wanted)
    inputs = keras.Input((rows, window, channels))
    if window:
        y = layers.Cropping2D(((0, 0), (window // 2, window - window // 2 - 1)))(inputs)
        y = layers.Flatten()(y)
    else:
        y = layers.Permute((2, 1, 3))(inputs)
        y = layers.Reshape((-1, rows * channels))(y)
    last = layers.Dense(classes, activation="softmax")
    model = keras.Model(inputs, last(y))
    last.set_weights([12 * weights[:-1], 12 * weights[-1]])
    folder.mkdir(parents=True)
    run = Run(folder)
    config = {
        "model": "linear",
        "family": "classifier" if window else "recognizer",
        "classes": list(prepared.classes),
        "groups": prepared.groups,
        **({"window": window} if window else {}),
    }
    run.record(config, prepared.frontend)
    run.history = {}
    if decoder:
        run.save_decoder(Decoder.count(prepared.frame_labels(split), prepared.classes), {})
    run.finish(model)
    return folder
