"""Chirps beside SciPy's, phones of every class, recordings cut and joined."""

import numpy as np
import pytest
import soundfile
from scipy import signal

from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.inversion.sounds import (
    BANDS,
    chirp_waves,
    chirps,
    joined,
    phones,
    recording,
    sweep_waves,
)
from zoo.layers import representation_settings

RATE = 16000


def frontend(kind="real", level="none", length=2554):
    settings = representation_settings(kind)
    shape = (201, 16, 1) if kind == "real" else (40, 13, 1)
    return Frontend(RATE, length, level, settings, np.full(shape, 0.5, "float32"))


def test_sweeps_are_scipys():
    ours = sweep_waves(np.array([300.0, 4000.0]), np.array([2000.0, 100.0]), 800, RATE)
    time = np.arange(800) / RATE
    for wave, first, last in zip(ours, (300, 4000), (2000, 100), strict=True):
        theirs = signal.chirp(time, first, time[-1], last, phi=-90)
        np.testing.assert_allclose(wave, theirs, atol=1e-9)


def test_chirps_go_both_ways_through_every_band():
    waves, names = chirp_waves(2554, RATE)
    assert waves.shape == (20, 2554)
    assert len({wave.tobytes() for wave in waves}) == len(set(names)) == 20
    for wave, name in zip(waves, names, strict=True):
        direction, band, sweeps = name.split(", ")
        frequency, _, power = signal.spectrogram(wave, RATE, nperseg=256, noverlap=192)
        loudest = frequency[power.argmax(axis=0)]
        low, high = (share * RATE / 2 for share in BANDS[band])
        assert low - 100 <= loudest.min() < loudest.max() <= high + 100
        steps = np.diff(loudest)
        jumps = np.abs(steps) > (high - low) / 2
        assert jumps.sum() == int(sweeps[0]) - 1
        travelled = steps[~jumps].sum() / int(sweeps[0]) / (high - low)
        assert (travelled if direction == "up" else -travelled) > 0.6


def test_chirps_are_as_loud_as_asked_and_centred():
    quiet, loud = chirps(frontend(), 0.01), chirps(frontend(), 0.1)
    assert quiet.inputs.shape == (20, 201, 16, 1)
    assert set(quiet.labels) == {"chirp"}
    # The mean of 0.5 was subtracted; the real part is linear.
    np.testing.assert_allclose(10 * (quiet.inputs + 0.5), loud.inputs + 0.5, atol=1e-3)


def test_phones_are_of_every_class_without_repeats(small_set):
    found = phones(small_set, 3, seed=1)
    labels = small_set.labels("test")
    for number in np.unique(labels):
        name = small_set.classes[number]
        assert found.labels.count(name) == min(3, np.sum(labels == number))
    assert len({x.tobytes() for x in found.inputs}) == len(found)
    order = [small_set.classes.index(label) for label in found.labels]
    assert order == sorted(order)
    again, other = phones(small_set, 3, seed=1), phones(small_set, 3, seed=2)
    np.testing.assert_array_equal(found.inputs, again.inputs)
    assert (found.inputs != other.inputs).any()
    every = np.asarray(small_set.features("test")[:])
    for label, x in zip(found.labels, found.inputs, strict=True):
        place = np.flatnonzero((every == x).all(axis=(1, 2, 3)))
        assert small_set.classes[labels[place[0]]] == label


def test_joined_sounds_keep_their_order(small_set):
    one, other = phones(small_set, 1), phones(small_set, 2)
    both = joined(one, other)
    assert both.names == one.names + other.names
    np.testing.assert_array_equal(both.inputs[len(one) :], other.inputs)


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_pieces_of_a_recording_follow_on_each_other(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, 6000).astype("float32")
    found = recording(write(tmp_path / "noise.wav", samples), frontend())
    np.testing.assert_array_equal(found.starts, [0, 2472, 4944])
    # Where there are no frames, each piece's network input is that of its own samples.
    expected = frontend().examples([samples[2472 : 2472 + 2554]])
    np.testing.assert_allclose(found.sounds.inputs[1:2], expected, atol=1e-5)
    pieces = np.stack([np.pad(samples, (0, 2554))[s : s + 2554] for s in found.starts])
    np.testing.assert_array_equal(found.join(pieces), samples.astype("float64"))


def test_a_short_recording_is_put_into_the_middle(tmp_path):
    samples = np.full(554, 0.25, "float32")
    found = recording(write(tmp_path / "short.wav", samples), frontend())
    assert len(found.sounds) == 1
    expected = frontend().examples([np.pad(samples, (1000, 1000))])
    np.testing.assert_allclose(found.sounds.inputs, expected, atol=1e-6)


def test_recordings_of_no_use_are_refused(tmp_path):
    long = write(tmp_path / "long.wav", np.ones(31 * 8000), 8000)
    with pytest.raises(UsageError, match=r"lasts 31\.0 s; the limit is 30 s"):
        recording(long, frontend())
    with pytest.raises(UsageError, match="is silence"):
        recording(write(tmp_path / "silence.wav", np.zeros(3000)), frontend())
    with pytest.raises(UsageError, match="one length"):
        chirps(frontend(length=None))
