"""The resampler against signals whose every sample is known, and against soxr."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.data.features.frontend import place
from zoo.ops.resampling import (
    ATTENUATION,
    MAX_RATE,
    ROLLOFF,
    ZERO_CROSSINGS,
    resample,
    resample_pieces,
    resample_to_length,
    resampled_length,
)

RATES = [8000, 11025, 22050, 44100, 48000, 96000]


def chord(rate, highest, seconds=0.25):
    """Tones below `highest` Hz that fade in and out, as a function and as samples."""
    rng = np.random.default_rng(int(rate))
    tones = list(zip(rng.uniform(50, highest, 20), rng.uniform(0, 6, 20), strict=True))

    def signal(t):
        fade = 0.5 - 0.5 * np.cos(2 * np.pi * t / seconds)
        total = sum(np.cos(2 * np.pi * f * t + phase) for f, phase in tones)
        return np.where((t >= 0) & (t <= seconds), fade * total / 20, 0)

    return signal, signal(np.arange(int(seconds * rate)) / rate).astype("float32")


@pytest.mark.parametrize("rate", RATES)
def test_band_limited_signal_is_what_it_would_be_if_sampled_at_the_target_rate(rate):
    signal, samples = chord(rate, 0.9 * min(rate, 16000) / 2)
    result = resample(samples, rate, 16000)
    assert len(result) == -(-len(samples) * 16000 // rate)
    assert np.abs(result - signal(np.arange(len(result)) / 16000)).max() < 2e-6


@pytest.mark.parametrize("rate", [8000, 48000])
def test_agrees_with_soxr(rate):
    import soxr

    _, samples = chord(rate, 0.9 * min(rate, 16000) / 2)
    result, other = resample(samples, rate, 16000), soxr.resample(samples, rate, 16000, "VHQ")
    both = min(len(result), len(other))
    assert np.abs(result[:both] - other[:both]).max() < 1e-5


@pytest.mark.parametrize("rate", [22050, 44100, 96000])
def test_what_the_target_rate_cannot_hold_does_not_alias(rate):
    time = np.arange(rate // 4) / rate
    tone = np.sin(2 * np.pi * 9000 * time) * np.hanning(len(time))
    assert np.abs(resample(tone, rate, 16000)).max() < 1e-5


def test_equal_rates_give_the_same_samples():
    samples = np.random.default_rng(0).normal(size=5000).astype("float32")
    np.testing.assert_array_equal(resample(samples, 16000, 16000), samples)


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(1, 700),
    rate=st.sampled_from([1000, 7919, 8000, 11025, 16000, 44100, 48000, 383_999]),
    length=st.integers(1, 400),
)
def test_placing_equals_resampling_all_and_placing_then(samples, rate, length):
    audio = np.random.default_rng(samples).normal(size=samples).astype("float32")
    placed = ops.convert_to_numpy(resample_to_length(audio, rate, 16000, length))
    np.testing.assert_allclose(placed, place(resample(audio, rate, 16000), length), atol=1e-6)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 3000), max_size=6),
    rates=st.sampled_from([(10, 8), (10, 7), (1000, 1000), (1001, 700), (700, 1001), (1000, 11)]),
)
def test_pieces_resampled_are_the_whole_resampled(lengths, rates):
    audio = np.random.default_rng(0).normal(size=sum(lengths)).astype("float32")
    pieces = np.split(audio, np.cumsum(lengths)[:-1]) if lengths else []
    found = list(resample_pieces(pieces, *rates))
    found = np.concatenate(found) if found else np.zeros(0, "float32")
    np.testing.assert_array_equal(found, resample(audio, *rates))


@pytest.mark.tensorflow
def test_a_graph_that_learns_the_rate_when_it_runs_gives_the_same():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([], tf.int32)])
    def placed(audio, rate):
        return resample_to_length(audio, rate, 16000, 2554)

    for rate in (8000, 16000, 44100):
        _, samples = chord(rate, 3000)
        eager = ops.convert_to_numpy(resample_to_length(samples, rate, 16000, 2554))
        np.testing.assert_allclose(placed(samples, rate), eager, atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "target"), [(48000, 16000), (44100, 16000), (44056, 16000), (8000, 11025), (7919, 401)]
)
def test_every_sample_is_the_sum_that_a_windowed_sinc_gives(rate, target):
    audio = np.random.default_rng(0).normal(size=2 * rate + 123).astype("float32")
    result = resample(audio, rate, target)
    cutoff = ROLLOFF * min(1, target / rate)
    beta = 0.1102 * (ATTENUATION - 8.7)
    for number in [0, 1, target - 1, target, len(result) // 2, 2 * target + 5, len(result) - 1]:
        crossings = cutoff * (np.arange(len(audio)) - number * rate / target)
        inside = np.maximum(1 - (crossings / ZERO_CROSSINGS) ** 2, 0)
        window = np.where(inside > 0, np.i0(beta * np.sqrt(inside)) / np.i0(beta), 0)
        expected = np.sum(audio * cutoff * np.sinc(crossings) * window)
        assert result[number] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rate", [44100, 44056, 48000])
def test_a_recording_cut_anywhere_has_the_same_samples(rate):
    audio = np.random.default_rng(0).normal(size=3 * rate + 11).astype("float32")
    pieces = np.split(audio, [1, 5000, rate + 17, 2 * rate])
    found = np.concatenate(list(resample_pieces(pieces, rate, 16000)))
    np.testing.assert_array_equal(found, resample(audio, rate, 16000))


def test_lengths_round_up():
    assert [resampled_length(n, 44100, 16000) for n in (0, 1, 441, 442)] == [0, 1, 160, 161]


def test_rates_out_of_range_are_refused():
    for rate in (0, -8000, MAX_RATE + 1, 44100.5, np.int64(-8000), np.int64(0), np.float64(0.5)):
        with pytest.raises(
            ValueError, match=f"1 to {MAX_RATE} Hz, a whole number; received {rate}"
        ):
            resample(np.zeros(10), rate, 16000)
    with pytest.raises(ValueError, match="target_rate must be 1 to"):
        resample(np.zeros(10), 16000, 96000)
