"""What a model is fed with, epoch by epoch."""

import gc
import itertools
import json
import signal
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.samplers import BalancedEpochs, NaturalEpochs
from zoo.evaluation.runs import evaluate
from zoo.experiments.comparisons.refitting import Refit
from zoo.training.batches import Batches, Reconstructions, fed
from zoo.training.classifier import Settings, train_classifier

LABELS = np.repeat([0, 1, 2], [7, 30, 4])
FEATURES = np.random.default_rng(0).normal(size=(len(LABELS), 5, 3, 1)).astype("float32")


def one_epoch(data):
    return [[np.asarray(array) for array in batch] for batch in data]


@pytest.mark.parametrize("batch_size", [1, 8, 41, 100])
@pytest.mark.parametrize("sampler", [BalancedEpochs(LABELS, 6, 3), NaturalEpochs(LABELS, 3)])
def test_tensorflow_sees_the_batches_of_every_epoch_in_their_order(sampler, batch_size):
    weights = np.arange(len(LABELS), dtype="float32")
    batches = Batches(FEATURES, LABELS, sampler, batch_size, epoch=2, weights=weights)
    data, callbacks = fed(batches)
    for epoch in (3, 4, 5):
        order = sampler.epoch(epoch)
        found = one_epoch(data)
        assert len(found) == len(data) == -(-len(order) // batch_size)
        for number, (x, y, w) in enumerate(found):
            chosen = order[number * batch_size : (number + 1) * batch_size]
            np.testing.assert_array_equal(x, FEATURES[chosen])
            np.testing.assert_array_equal(y, LABELS[chosen])
            np.testing.assert_array_equal(w, weights[chosen])
        for callback in callbacks:
            callback.on_epoch_end(epoch)


def test_augmented_batches_are_those_of_their_epoch_and_number(small_set):
    x, y = small_set.features("train")[:40], small_set.labels("train")[:40]
    augment = Augmenter("shift=3,mask=0.2", small_set.frontend, len(small_set.classes), 5)
    batches = Reconstructions(x, y, NaturalEpochs(y, 1), 16, corrupt=augment)
    data, (redraw,) = fed(batches)
    for epoch in (1, 2):
        order = NaturalEpochs(y, 1).epoch(epoch)
        for number, (seen, target) in enumerate(one_epoch(data)):
            chosen = order[16 * number : 16 * number + 16]
            np.testing.assert_array_equal(target, x[chosen])
            np.testing.assert_array_equal(seen, augment(x[chosen], y[chosen], epoch, number)[0])
        redraw.on_epoch_end(epoch)


def test_trainings_in_memory_let_go_of_their_examples(small_set):
    keras.utils.set_random_seed(0)
    refit = Refit(zoo.build("freq_fullpad", input_shape=small_set.shape), Settings())
    x, y = small_set.features("train")[:40].copy(), small_set.labels("train")[:40]
    held = weakref.ref(x)
    refit.fit(x, y, 2, 1, 0)
    del x
    gc.collect()
    assert held() is None


@pytest.mark.parametrize("epoch", [0, 3])
def test_keras_sees_the_same_batches_of_its_own_dataset(epoch):
    seen = []

    class Watched(keras.Model):
        def call(self, x):
            return keras.ops.sum(x, axis=(1, 2))

        def train_step(self, data):
            seen.append(np.asarray(data[1]).tolist())
            return {"loss": keras.ops.sum(data[0])}

    for own in (True, False):
        batches = Batches(FEATURES, LABELS, NaturalEpochs(LABELS, 3), 8, epoch=epoch)
        data, callbacks = (batches, []) if own else fed(batches)
        model = Watched()
        model.compile(loss="mse", run_eagerly=True)
        model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
    assert len(seen) == 24
    assert seen[:12] == seen[12:]
    assert sorted(itertools.chain.from_iterable(seen[:6])) == LABELS.tolist()


def test_a_model_is_trained_and_scored_on_examples_of_any_length(tmp_path):
    tree = make_tree(tmp_path / "corpus", train=3, test=1, sentences=("SX1",))
    options = {"representation": "log_mel", "length": "any", "dev_speakers": 1}
    prepared = prepare(tree, tmp_path / "set", **options)
    assert prepared.shape == (40, None, 1)
    settings = Settings(epochs=2, per_class=6, batch_size=16)
    run = train_classifier("spectrogram_any", prepared, tmp_path / "run", settings)
    history = json.loads((run / "history.json").read_text())
    assert len(history["loss"]) == 2
    assert np.isfinite(history["loss"]).all()
    scores = evaluate(run, prepared, "test").scores
    assert scores["examples"] == len(prepared.labels("test"))


INTERRUPTED = """
import os, signal, sys, time
import keras, numpy as np
from zoo.data.sets.samplers import NaturalEpochs
from zoo.training.batches import Batches, fed
from zoo.training.interrupts import interrupted_between_steps

def slow(x, y, epoch, number):
    # Work that holds Python's lock, as augmentation does.
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    return x, y

steps = []

def step(number, logs=None):
    steps.append(number)
    if len(steps) == 3:
        os.kill(os.getpid(), signal.SIGINT)

y = np.arange(400) % 2
batches = Batches(np.zeros((400, 4), "float32"), y, NaturalEpochs(y), 10, augment=slow)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
model.compile(loss="sparse_categorical_crossentropy")
data, redraw = fed(batches)
try:
    with interrupted_between_steps(batches.stop) as ending:
        count = keras.callbacks.LambdaCallback(on_train_batch_end=step)
        model.fit(data, epochs=3, verbose=0, callbacks=[*redraw, count, *ending])
except KeyboardInterrupt:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    print("after", len(steps))
"""


def test_an_interrupt_ends_training_after_the_step():
    # In a process of its own: what may go wrong is that it never ends.
    found = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert found.stdout.split() == ["after", "3"]
