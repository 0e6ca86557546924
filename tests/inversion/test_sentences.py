"""Recordings reconstructed whole: windows, their loudness, overlap and add, and sound."""

import numpy as np
import pytest
import soundfile

import zoo
from zoo.errors import UsageError
from zoo.inversion.sentences import SHIFT, sentence, windows


@pytest.fixture(scope="module")
def frontend():
    return zoo.Run.open("freq_overlap-synthetic").frontend


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """A second of gliding tones that grow louder, with a pause of digital silence."""
    path = tmp_path_factory.mktemp("wavs") / "glide.wav"
    time = np.arange(16000) / 16000
    wave = (0.05 + 0.5 * time) * np.sin(2 * np.pi * (300 + 900 * time) * time)
    wave += 0.01 * np.random.default_rng(0).normal(size=len(wave))
    wave[5000:9000] = 0.0
    soundfile.write(path, wave, 16000, subtype="FLOAT")
    return path


def test_windows_are_those_of_the_front_end_four_frames_apart(frontend, wav):
    found = sentence(wav, frontend)
    wave, _ = soundfile.read(wav, dtype="float32")
    for n in (0, 2, len(found.inputs) - 1):
        start = found.starts[n] * 147
        piece = np.zeros((1, frontend.length), "float32")
        inside = wave[start : start + frontend.length]
        piece[0, : len(inside)] = inside
        np.testing.assert_allclose(
            found.inputs[n], frontend.represent(piece)[0] - frontend.mean, atol=1e-5
        )
        assert found.gains[n] == pytest.approx(np.abs(piece).max(), rel=1e-4)
    assert (found.starts % SHIFT == 0).all()
    # A window lies in the pause altogether.
    assert len(found.starts) < found.starts[-1] // SHIFT + 1


def test_overlap_and_add_is_that_of_loops(frontend, wav):
    found = sentence(wav, frontend)
    rng = np.random.default_rng(0)
    given = found.inputs + rng.normal(0, 0.1, found.inputs.shape).astype("float32")
    magnitudes = found.magnitudes(given)
    frames = magnitudes.shape[1]
    total, weights = np.zeros_like(magnitudes), np.zeros(frames)
    for n, start in enumerate(found.starts):
        for frame in range(16):
            if start + frame >= frames:
                continue
            weight = min(frame + 1, 16 - frame)
            column = np.exp((given[n] + frontend.mean)[:, frame, 0]) - 0.01
            total[:, start + frame] += weight * np.maximum(column, 0) * found.gains[n]
            weights[start + frame] += weight
    expected = total / np.where(weights > 0, weights, 1)
    np.testing.assert_allclose(magnitudes, expected, rtol=1e-4, atol=1e-6)


def test_inputs_as_they_are_give_the_recording_back(frontend, wav):
    found = sentence(wav, frontend)
    magnitudes = found.magnitudes(found.inputs)
    np.testing.assert_allclose(magnitudes, np.abs(found.original), atol=1e-3)
    sounds = found.sounds(magnitudes)
    assert list(sounds) == ["griffin_lim", "original_phases"]
    covered = slice(0, found.framing.covered(magnitudes.shape[1]))
    exact = sounds["original_phases"][covered]
    assert np.corrcoef(exact, found.wave[covered])[0, 1] > 0.999
    estimated = np.abs(found.framing.cut(sounds["griffin_lim"][None])[0])
    assert np.isfinite(estimated).all()


def test_short_recordings_are_one_window(frontend, wav, tmp_path):
    wave, _ = soundfile.read(wav)
    soundfile.write(tmp_path / "short.wav", wave[:1000], 16000)
    found = sentence(tmp_path / "short.wav", frontend)
    assert found.inputs.shape[0] == 1
    assert len(found.wave) == frontend.length


def test_windows_of_others_are_drawn_from_their_recordings(frontend, wav, tmp_path):
    found = windows(wav.parent, frontend, 5, seed=1)
    assert found.shape == (5, 201, 16, 1)
    own = sentence(wav, frontend).inputs
    assert all((np.abs(own - x).max(axis=(1, 2, 3)) == 0).any() for x in found)
    with pytest.raises(UsageError, match="holds no recordings"):
        windows(tmp_path, frontend, 5)


def test_windows_are_of_recordings_of_any_format_that_is_read(frontend, wav, tmp_path):
    wave, rate = soundfile.read(wav, dtype="float32")
    soundfile.write(tmp_path / "glide.AIFF", wave, rate, subtype="PCM_24")
    (tmp_path / "notes.txt").write_text("no sound")
    np.testing.assert_allclose(
        windows(tmp_path, frontend, 5, seed=1), windows(wav.parent, frontend, 5, seed=1), atol=1e-2
    )


def test_networks_without_magnitudes_have_no_sentences(small_set, wav):
    with pytest.raises(UsageError, match="sentences are reconstructed by networks of magnitude"):
        sentence(wav, small_set.frontend)
