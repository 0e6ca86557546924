"""Recordings taken whole: what a network hears of them, and their way back to sound."""

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.runs import make_recognizer, make_run
from zoo.data.features.analysis import representation_settings
from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.inversion.recordings import spectrum_of_bands, takes_recordings, whole_recording

RATE = 16000


@pytest.fixture(scope="module")
def frontend():
    return zoo.Run.open("tdnn-people").frontend


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """0.7 s of gliding tones that grow louder, over noise; the length is no multiple of the hop."""
    path = tmp_path_factory.mktemp("wavs") / "glide.wav"
    time = np.arange(11237) / RATE
    wave = (0.05 + 0.3 * time) * np.sin(2 * np.pi * (300 + 900 * time) * time)
    wave += 0.02 * np.random.default_rng(0).normal(size=len(wave))
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return path


def spectra(representation):
    settings = representation_settings(representation, frame_length=400, hop_length=160)
    rows = Frontend(RATE, None, "none", settings, np.zeros((1, 1, 1), "float32")).shape[0]
    mean = np.random.default_rng(1).normal(size=(rows, 1, 1)).astype("float32")
    return Frontend(RATE, None, "none", settings, mean, whole=True)


def test_inputs_are_what_the_recognizer_hears(frontend, wav):
    wave, _ = soundfile.read(wav, dtype="float32")
    found = whole_recording(wav, frontend)
    assert found.inputs.shape == (1, 40, -(-len(wave) // 160), 1)
    np.testing.assert_allclose(found.inputs[0], frontend.recording(wave), atol=1e-5)


def test_statistics_that_were_taken_off_are_put_back(frontend, wav):
    found = whole_recording(wav, frontend)
    peak = found.wave / np.abs(found.wave).max()
    frame, hop = 400, 160
    padded = np.pad(peak, (120, 1000))
    weights = zoo.data.features.filterbanks.mel_weights(40, 400, RATE, 20.0, 8000.0, "htk")
    for number in (0, 30, found.inputs.shape[2] - 1):
        cut = padded[number * hop :][:frame] * np.hamming(frame)
        expected = np.log(np.square(np.abs(np.fft.rfft(cut))) @ weights + 1e-4)
        np.testing.assert_allclose(
            found.logarithms(found.inputs)[:, number], expected, rtol=1e-3, atol=2e-3
        )


def test_the_spectrum_of_bands_has_their_energies(frontend, wav):
    found = whole_recording(wav, frontend)
    weights = zoo.data.features.filterbanks.mel_weights(40, 400, RATE, 20.0, 8000.0, "htk")
    energies = np.square(np.abs(found.original)).T @ weights  # (T, bands)
    spectrum = np.square(found.magnitudes(found.inputs))
    assert (spectrum >= 0).all()
    outside = weights.sum(axis=1) == 0
    assert outside.any()
    assert not spectrum[outside].any()
    difference = np.abs(np.log(weights.T @ spectrum + 1e-2) - np.log(energies.T + 1e-2))
    assert np.median(difference) < 0.01
    assert np.quantile(difference, 0.99) < 0.1


def test_a_flat_spectrum_comes_back_flat():
    weights = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 0.0]])
    found = spectrum_of_bands(np.array([[1.5, 3.0], [1.5, 3.0]]), weights)
    np.testing.assert_allclose(found, [[1, 2], [1, 2], [1, 2], [0, 0]], atol=1e-9)


@pytest.mark.parametrize("representation", ["magnitude", "log_magnitude", "log_power"])
def test_magnitudes_come_back_as_they_were(representation, wav):
    found = whole_recording(wav, spectra(representation))
    magnitudes = found.magnitudes(found.inputs)
    np.testing.assert_allclose(magnitudes, np.abs(found.original), rtol=1e-3, atol=1e-2)
    sounds = found.sounds(magnitudes)
    assert list(sounds) == ["griffin_lim", "original_phases"]
    assert {len(sound) for sound in sounds.values()} == {len(found.wave)}
    assert np.corrcoef(sounds["original_phases"], found.wave)[0, 1] > 0.999
    assert np.isfinite(sounds["griffin_lim"]).all()


def test_bands_with_phases_of_the_original_sound_like_it(frontend, wav):
    found = whole_recording(wav, frontend)
    sound = found.sounds(found.magnitudes(found.inputs))["original_phases"]
    assert np.corrcoef(sound, found.wave)[0, 1] > 0.9


def test_what_is_kept_is_counted_by_frame(frontend, wav, tmp_path):
    model = zoo.load(make_recognizer(tmp_path / "run"))
    found = whole_recording(wav, frontend)
    answered = {"own": model.predict(found.inputs, verbose=0).argmax(-1)}
    same = found.kept(found.inputs, {"own": model}, answered)
    assert same == {
        "correlation": pytest.approx(1),
        "log_spectral_distance": pytest.approx(0, abs=1e-6),
        "own_same_answer": 1.0,
    }
    # Ten times the energy in every band.
    deviation = found.statistics.deviation
    louder = found.inputs + (np.log(10) / deviation)[None].astype("float32")
    assert found.kept(louder, {}, {})["log_spectral_distance"] == pytest.approx(10, rel=1e-4)
    other = np.zeros_like(found.inputs)
    expected = np.mean(model.predict(other, verbose=0).argmax(-1) == answered["own"])
    assert found.kept(other, {"own": model}, answered)["own_same_answer"] == expected


def test_only_networks_of_any_number_of_frames_take_recordings(tmp_path):
    for name, expected in (("tdnn", True), ("crnn_frames", True)):
        run = zoo.Run.open(make_recognizer(tmp_path / name, name))
        assert takes_recordings(run.model, run.frontend) is expected
    windows = zoo.Run.open(make_recognizer(tmp_path / "windows", "freq", 25))
    assert not takes_recordings(windows.model, windows.frontend)
    segments = zoo.Run.open(make_run(tmp_path / "segments"))
    assert not takes_recordings(segments.model, segments.frontend)


def test_recordings_need_a_way_back_and_an_end(frontend, wav, tmp_path):
    with pytest.raises(UsageError, match=r"by networks of magnitude, .* this one takes mfcc"):
        whole_recording(wav, spectra("mfcc"))
    soundfile.write(tmp_path / "long.wav", np.full(31 * 8000, 0.1), 8000)
    with pytest.raises(UsageError, match=r"lasts 31.0 s; the limit is 30 s"):
        whole_recording(tmp_path / "long.wav", frontend)
