"""Waveforms back from spectrograms: exactly where that is possible, ever closer where it is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.features.representations import STFT_FORMS
from zoo.layers import Spectrogram
from zoo.ops import Framing, griffin_lim, inverse_real, inverse_stft, invert, stft

RNG = np.random.default_rng(0)
WAVES = RNG.standard_normal((3, 1000))
COVERED = Framing().covered(Framing().frames(1000))

framings = st.builds(
    lambda frame, hop, extra: Framing(frame, min(hop, frame), frame + extra),
    st.integers(2, 60),
    st.integers(1, 60),
    st.integers(0, 60),
)


def test_the_transform_is_that_of_numpy_and_of_the_layer():
    frames = [WAVES[:, s : s + 267] for s in range(0, 1000 - 266, 147)]
    expected = np.stack([np.fft.rfft(f * np.hamming(267), 400) for f in frames], axis=2)
    np.testing.assert_allclose(stft(WAVES), expected, atol=1e-12)
    layer = np.asarray(Spectrogram("real_imaginary")(WAVES.astype("float32")))
    np.testing.assert_allclose(layer[..., 0] + 1j * layer[..., 1], expected, atol=1e-3)


def test_a_longer_frame_is_folded_into_its_spectrum_at_fewer_frequencies():
    """Every other bin of a transform of 400 is the folded transform of 200."""
    np.testing.assert_allclose(
        stft(WAVES, Framing(fft_length=200)), stft(WAVES)[:, ::2], atol=1e-10
    )


@settings(max_examples=40, deadline=None)
@given(framing=framings, frames=st.integers(1, 5), beyond=st.integers(0, 30))
def test_complex_spectrograms_come_back_whole(framing, frames, beyond):
    covered = framing.covered(frames)
    wave = np.random.default_rng(covered).standard_normal((2, covered))
    samples = covered + beyond
    back = inverse_stft(stft(wave, framing), samples, framing)
    np.testing.assert_allclose(back[:, :covered], wave, atol=1e-9)
    assert (back[:, covered:] == 0).all()


@settings(max_examples=20, deadline=None)
@given(frame=st.integers(2, 40), frames=st.integers(1, 4), hop=st.integers(1, 40))
def test_the_real_part_is_enough_where_frames_fill_half_the_transform(frame, frames, hop):
    framing = Framing(frame, min(hop, frame), 2 * frame)
    wave = np.random.default_rng(frame).standard_normal((1, framing.covered(frames)))
    real = stft(wave, framing).real
    for joint in (False, True):
        back = inverse_real(real, None, framing, joint=joint)
        np.testing.assert_allclose(back, wave, atol=1e-6)


def test_overlap_undoes_the_mixing_of_the_real_part():
    """At 400 points the ends of frames are mixed with their middles; the next frames tell both."""
    real = stft(WAVES).real
    apart, joint = inverse_real(real, 1000, joint=False), inverse_real(real, 1000)
    known = COVERED - 133  # the last frame's end has no frame after it
    np.testing.assert_allclose(joint[:, :known], WAVES[:, :known], atol=1e-6)
    np.testing.assert_allclose(stft(joint).real, real, atol=1e-6)
    assert np.abs(apart - WAVES)[:, :known].max() > 0.1


def test_overlap_undoes_folding():
    framing = Framing(fft_length=200)
    spectrogram = stft(WAVES, framing)
    joint = inverse_stft(spectrogram, 1000, framing, joint=True)
    known = framing.covered(spectrogram.shape[2]) - 147
    np.testing.assert_allclose(joint[:, :known], WAVES[:, :known], atol=1e-6)
    apart = inverse_stft(spectrogram, 1000, framing)
    assert np.abs(apart - WAVES)[:, :known].max() > 0.1


def test_overlap_add_is_the_least_squares_solution():
    """Of a spectrogram that no waveform has; found by solving the dense normal equations."""
    framing = Framing(6, 4, 8)
    frames = 3
    samples = framing.covered(frames)
    made = RNG.standard_normal((1, 5, frames)) + 1j * RNG.standard_normal((1, 5, frames))
    made.imag[:, [0, -1]] = 0
    target = np.fft.irfft(made.swapaxes(1, 2), 8).reshape(-1)
    matrix = np.stack([framing.cut(row[None]).reshape(-1) for row in np.eye(samples)], axis=1)
    dense = np.linalg.lstsq(matrix, target, rcond=None)[0]
    np.testing.assert_allclose(inverse_stft(made, None, framing)[0], dense, atol=1e-10)
    np.testing.assert_allclose(inverse_stft(made, None, framing, joint=True)[0], dense, atol=1e-8)


def test_griffin_lim_comes_closer_with_every_iteration():
    framing = Framing(64, 16, 64)
    waves = np.sin(np.cumsum(np.linspace(0.05, 0.6, 700)))[None] * np.ones((2, 1))
    magnitude = np.abs(stft(waves, framing))

    def errors(iterations, seed=0):
        back = griffin_lim(magnitude, 700, framing, iterations, seed)
        return np.sqrt(((np.abs(stft(back, framing)) - magnitude) ** 2).sum(axis=(1, 2)))

    found = np.stack([errors(n) for n in (0, 1, 2, 5, 20, 60)])
    assert (np.diff(found, axis=0) <= 1e-9).all()
    assert (found[-1] < 0.35 * found[0]).all()
    same = griffin_lim(magnitude, 700, framing, 3, seed=1)
    np.testing.assert_array_equal(griffin_lim(magnitude, 700, framing, 3, seed=1), same)
    assert np.abs(griffin_lim(magnitude, 700, framing, 3, seed=2) - same).max() > 0.01


@pytest.mark.parametrize("form", STFT_FORMS)
def test_every_form_of_the_transform_is_inverted(form):
    settings = {"representation": form, "frame_length": 64, "hop_length": 16, "fft_length": 128}
    layer = Spectrogram(**settings)
    settings["log_offset"] = layer.log_offset
    waves = WAVES[:, : 64 + 16 * 20].astype("float32")
    features = np.asarray(layer(waves))
    back = invert(features, settings, iterations=5)
    if form in ("real", "real_imaginary", "magnitude_phase"):
        np.testing.assert_allclose(back, waves, atol=2e-3)
        return
    expected = griffin_lim(np.abs(stft(waves, Framing(64, 16, 128))), None, Framing(64, 16, 128), 5)
    likeness = (back * expected).sum(axis=1) / np.linalg.norm(back, axis=1)
    np.testing.assert_allclose(likeness / np.linalg.norm(expected, axis=1), 1, atol=1e-3)


def test_silence_and_what_cannot_be_inverted():
    assert (griffin_lim(np.zeros((1, 201, 3)), iterations=2) == 0).all()
    assert (inverse_real(np.zeros((1, 201, 3))) == 0).all()
    with pytest.raises(ValueError, match="to be inverted; received 'mfcc'"):
        invert(np.zeros((1, 13, 3, 1)), {"representation": "mfcc"})
    with pytest.raises(ValueError, match=r"must be \(N, 201, frames\) for a transform of 400"):
        inverse_stft(np.zeros((1, 200, 3)))
    with pytest.raises(ValueError, match="samples must be 561 or more, which 3 frames cover"):
        inverse_stft(np.zeros((1, 201, 3)), 560)
