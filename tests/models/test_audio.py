"""Networks for inputs of any size."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError


@pytest.mark.parametrize("size", [(201, 16), (1, 1), (7, 31), (64, 9), (40, 50)])
def test_spectrogram_any_takes_any_size(size):
    model = zoo.build("spectrogram_any")
    x = np.random.default_rng(0).normal(size=(2, *size, 1)).astype("float32")
    assert model(x).shape == (2, 48)
    assert model.predict(x, verbose=0).shape == (2, 48)


@pytest.mark.parametrize("name", ["digits_residual", "digits_ltas", "digits_frames"])
def test_one_frame_is_enough(name):
    assert np.isfinite(zoo.build(name).predict(np.ones((1, 40, 1, 1)), verbose=0)).all()


def test_ltas_averages_over_time():
    model = zoo.build("digits_ltas")
    x = np.random.default_rng(0).normal(size=(2, 40, 30, 1)).astype("float32")
    order = np.random.default_rng(1).permutation(30)
    first, second = model(x), model(x[:, :, order])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(second), atol=1e-5
    )


def test_frames_are_judged_one_by_one():
    model = zoo.build("digits_frames")
    x = np.random.default_rng(0).normal(size=(1, 40, 30, 1)).astype("float32")
    whole = keras.ops.convert_to_numpy(model(x))
    alone = keras.ops.convert_to_numpy(model(x[:, :, 7:8]))
    np.testing.assert_allclose(whole[:, 7:8], alone, atol=1e-5)


def test_crnn_of_any_number_of_frames():
    model = zoo.build("crnn", input_shape=(201, None, 1))
    for frames in (5, 16):
        x = np.zeros((2, 201, frames, 1), "float32")
        assert model(x).shape == (2, 48)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("spectrogram_any", {"map_size": (9,)}, "map_size must be a sequence of 2 whole numbers"),
        ("crnn", {"input_shape": (None, 16, 1)}, r"\(F, T, C\) .* \(T may be None\)"),
        ("waveform", {"taps": (3,)}, "taps must be a sequence of 2 whole numbers"),
        ("digits_filterbank", {"input_shape": (40, None, 1)}, r"\(samples, C\)"),
        ("digits_frames", {"states": 0}, "states must be a whole number from 1 on"),
        ("digits_residual", {"dropout": 2}, "dropout must be"),
    ],
)
def test_wrong_values_are_told(name, overrides, message):
    with pytest.raises(UsageError, match=f"^{name}: .*{message}"):
        zoo.build(name, **overrides)
