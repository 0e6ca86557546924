"""Normalisation by recording: the formula, short and silent recordings, layers on each backend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.helpers.doctests import run_examples
from tests.helpers.probes import normalization
from tests.helpers.probes.normalization import normalised
from zoo.data.features.frontend import Frontend
from zoo.data.features.normalization import Running, Statistics, statistics, statistics_of

features = st.tuples(st.integers(1, 6), st.integers(1, 30), st.integers(1, 2)).flatmap(
    lambda shape: arrays("float32", shape, elements=st.floats(-100, 100, width=32))
)


def literally(x):
    """The normalised (F, T, C), number by number."""
    x = np.asarray(x, "float64")
    rows, frames, channels = x.shape
    out = np.empty_like(x)
    for c in range(channels):
        variances = [np.mean((x[f, :, c] - x[f, :, c].mean()) ** 2) for f in range(rows)]
        pooled = sum(variances) / rows
        for f in range(rows):
            variance = (frames * variances[f] + 10 * pooled) / (frames + 10)
            deviation = max(np.sqrt(variance), 0.1 * np.sqrt(pooled), 1e-5)
            out[f, :, c] = (x[f, :, c] - x[f, :, c].mean()) / deviation
    return out


@given(features)
def test_the_formula_is_the_literal_one(x):
    wide = np.asarray(x, "float64")
    np.testing.assert_allclose(
        normalised(wide, statistics(wide)), literally(x), rtol=1e-6, atol=1e-6
    )


@given(features, st.lists(st.integers(0, 30), max_size=4))
def test_pieces_have_the_statistics_of_the_whole(x, cuts):
    running = Running()
    for piece in np.split(x, sorted(min(cut, x.shape[1]) for cut in cuts), axis=1):
        running.add(piece)
    whole = statistics(np.asarray(x, "float64"))
    assert running.frames == x.shape[1]
    for found, expected in zip(running.statistics, whole, strict=True):
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("level", ["none", "file", "file-rms"])
@pytest.mark.parametrize("samples", [1, 160, 800, 16000])
@pytest.mark.parametrize("sound", ["silence", "noise", "constant"])
def test_short_and_silent_recordings_stay_finite(level, samples, sound):
    from zoo.data.features.analysis import representation_settings
    from zoo.data.features.frontend import continuous_framing

    wave = {
        "silence": np.zeros(samples),
        "noise": np.random.default_rng(0).normal(size=samples) * 0.1,
        "constant": np.full(samples, 0.5),
    }[sound].astype("float32")
    framing = continuous_framing("log_mel", 16000, 0.01)
    frontend = Frontend(
        16000,
        None,
        level,
        representation_settings("log_mel", 0, **framing),
        np.zeros((40, 1, 1), "float32"),
        normalize="recording",
        whole=True,
    )
    x = frontend.recording(wave)
    assert x.shape == (40, -(-samples // 160), 1)
    assert np.isfinite(x).all()
    # No blow-up: a hundredth of 1e-5 in silence is not made a thousand.
    assert np.abs(x).max() < 40
    if sound == "silence":
        assert not x.any()


def test_a_bin_of_nothing_is_not_blown_up():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 400, 1)).astype("float32")
    x[0] *= 1e-4
    found = statistics_of(x)
    pooled = np.sqrt(np.mean(x[1:].var(axis=1)) * 4 / 5)
    assert found.deviation[0, 0, 0] == pytest.approx(
        max(0.1 * pooled, np.sqrt(10 / 410) * pooled), rel=0.01
    )
    assert isinstance(found, Statistics)


@pytest.mark.tensorflow
def test_the_layer_gives_what_numpy_gives():
    normalization.compare(normalization.results())


def test_the_examples_of_the_documentation():
    assert run_examples("zoo.data.features.normalization")
