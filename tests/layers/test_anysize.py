"""Average pooling of any size to a fixed map, and the learnable filterbank."""

import keras
import numpy as np
import pytest

from tests.helpers.harness import check_layer
from zoo.layers import FixedMapPooling2D, LearnableFilterbank
from zoo.layers.filterbank import mel_filters


def reference(x, size):
    out = np.empty((x.shape[0], *size, x.shape[3]))
    for i in range(size[0]):
        for j in range(size[1]):
            rows = slice(i * x.shape[1] // size[0], -(-(i + 1) * x.shape[1] // size[0]))
            columns = slice(j * x.shape[2] // size[1], -(-(j + 1) * x.shape[2] // size[1]))
            out[:, i, j] = x[:, rows, columns].mean(axis=(1, 2))
    return out


def test_by_hand():
    x = np.array([1, 2, 3, 4, 5], "float32").reshape(1, 5, 1, 1)
    pooled = FixedMapPooling2D((2, 1))(x)
    np.testing.assert_allclose(np.ravel(pooled), [2, 4])  # rows 0-2 and 2-4


@pytest.mark.parametrize("shape", [(9, 9), (201, 16), (5, 3), (1, 1), (10, 19), (7, 23)])
def test_is_the_mean_of_its_regions(shape):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("float32")
    pooled = keras.ops.convert_to_numpy(FixedMapPooling2D((9, 4))(x))
    np.testing.assert_allclose(pooled, reference(x, (9, 4)), atol=1e-5)


def test_sizes_may_be_unknown():
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, FixedMapPooling2D(3)(inputs))
    assert model.output_shape == (None, 3, 3, 2)
    for shape in [(4, 5), (11, 2)]:
        x = np.random.default_rng(0).normal(size=(2, *shape, 2)).astype("float32")
        np.testing.assert_allclose(model.predict(x, verbose=0), reference(x, (3, 3)), atol=1e-5)


def test_fixed_map_survives(tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 7, 5, 2)).astype("float32")

    def wire(layer, symbols):
        return layer(keras.layers.Conv2D(2, 1)(symbols[0]))

    check_layer(lambda **kw: FixedMapPooling2D((4, 3), **kw), wire, [x], tmp_path)


def test_wrong_sizes_are_told():
    with pytest.raises(ValueError, match="output_size"):
        FixedMapPooling2D((3, 0))


def test_filterbank_survives(tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 120, 1)).astype("float32")
    check_layer(
        lambda **kw: LearnableFilterbank(5, 30, 10, 4000, 0.01, **kw),
        lambda layer, symbols: layer(symbols[0]),
        [x],
        tmp_path,
    )


def test_filterbank_starts_by_telling_tones_apart():
    bank = LearnableFilterbank(taps=256)
    time = np.arange(4000) / 8000
    loudest = []
    for tone in (200, 600, 1200, 2500):
        x = np.sin(2 * np.pi * tone * time).astype("float32")[None, :, None]
        energies = keras.ops.convert_to_numpy(bank(x))  # (1, 40, T, 1)
        assert energies.shape == (1, 40, (4000 - 256) // 80 + 1, 1)
        assert energies.std(axis=2).max(axis=1) < 3
        loudest.append(int(energies.mean(axis=(0, 2, 3)).argmax()))
    assert loudest == sorted(set(loudest))


def test_filterbank_frames_are_energies():
    bank = LearnableFilterbank(4, 16, 8, 8000, log_offset=0.5)
    x = np.random.default_rng(0).normal(size=(1, 40, 1)).astype("float32")
    waves = mel_filters(4, 16, 8000)[:, 0]
    for frame in range(4):
        out = x[0, frame * 8 : frame * 8 + 16, 0] @ waves
        expected = np.log(out[:4] ** 2 + out[4:] ** 2 + 0.5)
        np.testing.assert_allclose(np.asarray(bank(x))[0, :, frame, 0], expected, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"filters": 0}, {"taps": 1.5}, {"log_offset": 0}])
def test_wrong_filterbanks_are_told(arguments):
    with pytest.raises(
        ValueError, match=r"whole numbers from 1 on and log_offset above 0; received"
    ):
        LearnableFilterbank(**arguments)
    with pytest.raises(ValueError, match=r"\(N, samples, 1\)"):
        LearnableFilterbank()(np.zeros((1, 400, 2), "float32"))
