"""Pairs of noisy and clean excerpts."""

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.trees import make_tree
from zoo.data import prepare_pairs
from zoo.data.sets.noisy_pairs import generate, mix
from zoo.errors import UsageError

PAIRS = {"train": 12, "test": 5}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), train=3, test=2)


@pytest.fixture(scope="module")
def noises(tmp_path_factory):
    """Two recordings whose every sample says where it is from."""
    root = tmp_path_factory.mktemp("noise")
    for name, sign in (("fan", 1), ("street", -1)):
        wave = sign * (0.1 + np.arange(40_000) / 50_000)
        soundfile.write(root / f"{name}.wav", wave, 16000, subtype="FLOAT")
    return root


def decibels(clean, noise):
    return 10 * np.log10(np.mean(clean**2) / np.mean(noise**2))


def test_the_defaults_are_those_of_the_lab(tree, tmp_path):
    prepared = prepare_pairs(tree, tmp_path / "set", length=200)
    assert len(prepared.features("train")) == len(prepared.targets("train")) == 250
    assert len(prepared.features("test")) == 50
    assert prepared.features("train").shape == (250, 200, 1)


def test_the_clean_one_is_the_recording_and_the_ratio_is_the_one_asked_for(tree, tmp_path):
    prepared = prepare_pairs(
        tree, tmp_path / "set", snr=(-5, 15), length=3000, level="none", pairs=PAIRS
    )
    for split, count in PAIRS.items():
        noisy, clean = prepared.features(split)[:, :, 0], prepared.targets(split)[:, :, 0]
        rows = prepared.segments(split)
        assert noisy.shape == clean.shape == (count, 3000)
        for x, y, row in zip(noisy, clean, rows, strict=True):
            wave, _ = soundfile.read(tree / f"{row.utterance}.WAV", dtype="float32")
            np.testing.assert_array_equal(y, wave[row.start : row.end])
            assert row.speaker in row.utterance.lower()
            np.testing.assert_allclose(decibels(y, x - y), row.snr, atol=1e-3)
            assert -5 <= row.snr <= 15
        assert np.ptp(rows.snr) > 1
    assert not set(prepared.segments("train").speaker) & set(prepared.segments("test").speaker)


def test_recorded_noise_of_train_and_test_is_disjoint(tree, noises, tmp_path):
    prepared = prepare_pairs(
        tree, tmp_path / "set", noise=noises, length=2000, level="none", pairs=PAIRS
    )
    used = {}
    for split in PAIRS:
        x, y = prepared.features(split)[:, :, 0], prepared.targets(split)[:, :, 0]
        noise = x - y
        # A ramp from 0.1 by 1/50000 a sample: the slope of each excerpt tells its gain.
        gain = (noise[:, -1] - noise[:, 0]) * 50_000 / 1999
        used[split] = (noise / gain[:, None] - 0.1) * 50_000
        assert set(prepared.segments(split).noise) == {"fan.wav", "street.wav"}
    assert used["train"].max() < 30_000 + 20
    assert used["test"].min() > 30_000 - 20


def test_short_recordings_are_padded_and_short_noise_repeated(tree, noises, tmp_path):
    prepared = prepare_pairs(
        tree, tmp_path / "set", noise=noises / "fan.wav", length=32_000, pairs=PAIRS
    )
    clean = prepared.targets("train")[:, :, 0]
    assert (clean[:, :100] == 0).all()
    assert (clean[:, -100:] == 0).all()
    noise = prepared.features("test")[:, :, 0] - prepared.targets("test")[:, :, 0]
    np.testing.assert_allclose(noise[:, :10_000], noise[:, 10_000:20_000], atol=1e-4)


@pytest.mark.parametrize(
    ("level", "peak", "rms"), [("segment", 1, None), ("segment-rms", None, 0.1)]
)
def test_both_are_scaled_by_what_the_noisy_one_takes(tree, tmp_path, level, peak, rms):
    options = {"pairs": PAIRS, "length": 2000, "snr": 3}
    raw = prepare_pairs(tree, tmp_path / "raw", level="none", **options)
    scaled = prepare_pairs(tree, tmp_path / "scaled", level=level, **options)
    x, y = scaled.features("test")[:], scaled.targets("test")[:]
    if peak:
        np.testing.assert_allclose(np.abs(x).max(axis=1), peak, rtol=1e-6)
    if rms:
        np.testing.assert_allclose(np.sqrt((x**2).mean(axis=1)), rms, rtol=1e-5)
    factor = x[:, :1] / raw.features("test")[:, :1]
    np.testing.assert_allclose(y, raw.targets("test") * factor, atol=1e-5)


def test_a_seed_decides_everything(tree, tmp_path):
    options = {"pairs": PAIRS, "length": 1000, "noise": "pink", "snr": (0, 5)}
    one, two, other = (
        prepare_pairs(tree, tmp_path / name, seed=seed, **options)
        for name, seed in (("one", 0), ("two", 0), ("other", 1))
    )
    assert one.manifest["content"] == two.manifest["content"]
    assert one.manifest["content"] != other.manifest["content"]
    # The first pairs do not depend on how many follow.
    more = prepare_pairs(
        tree, tmp_path / "more", seed=0, **options | {"pairs": {"train": 14, "test": 5}}
    )
    np.testing.assert_array_equal(more.features("train")[:12], one.features("train"))


def test_generated_noises_have_their_spectra():
    rng = np.random.default_rng(0)
    for noise, slope in (("white", 0), ("pink", -1)):
        power = np.mean(
            [np.abs(np.fft.rfft(generate(noise, 4096, rng))) ** 2 for _ in range(60)], 0
        )
        octaves = np.log2([power[2**n : 2 ** (n + 1)].mean() for n in range(3, 11)])
        np.testing.assert_allclose(np.diff(octaves).mean(), slope, atol=0.08)


def test_mixing_by_hand():
    # Powers 4 and 1 are 6.02 dB apart already.
    noisy = mix(np.array([2.0, -2.0]), np.array([1.0, 1.0]), 10 * np.log10(4))
    np.testing.assert_allclose(noisy, [3, -1])
    np.testing.assert_allclose(mix(np.array([2.0, -2.0]), np.array([3.0, 3.0]), 0), [4, 0])


def test_silence_is_drawn_around_or_refused(tmp_path, noises):
    rng = np.random.default_rng(0)
    for split, speaker in (("TRAIN", "MAAA0"), ("TEST", "MBBB0")):
        wave = np.zeros(16_000)
        wave[9000:9400] = rng.normal(size=400)
        folder = tmp_path / "corpus" / split / "DR1" / speaker
        folder.mkdir(parents=True)
        soundfile.write(folder / "SX1.WAV", 0.1 * wave, 16000, format="WAV")
        (folder / "SX1.PHN").write_text("0 16000 h#\n")
    prepared = prepare_pairs(tmp_path / "corpus", tmp_path / "set", length=500, pairs=PAIRS)
    assert (np.abs(prepared.targets("train")[:]).max(axis=1) > 0).all()
    soundfile.write(tmp_path / "still.wav", np.zeros(5000), 16000)
    with pytest.raises(UsageError, match=r"still\.wav is silent"):
        prepare_pairs(tmp_path / "corpus", tmp_path / "other", noise=tmp_path / "still.wav")


def test_the_denoiser_trains_on_them(tree, tmp_path):
    prepared = prepare_pairs(tree, tmp_path / "set", length=800, pairs=PAIRS)
    model = zoo.build("denoiser")
    model.compile("sgd", "mean_absolute_error")
    history = model.fit(
        prepared.features("train"), prepared.targets("train")[:], epochs=3, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()


def test_what_pairs_have_and_have_not(tree, tmp_path):
    pairs = prepare_pairs(tree, tmp_path / "pairs", length=300, pairs=PAIRS)
    assert (pairs.kind, pairs.classes, pairs.excluded("train")) == ("pairs", (), 0)
    with pytest.raises(UsageError, match="have targets instead of labels"):
        pairs.labels("train")
    phones = zoo.data.prepare(tree, tmp_path / "phones")
    with pytest.raises(UsageError, match="holds labelled segments, not pairs"):
        phones.targets("train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "brown"}, "noise must be white, pink, a recording or a folder"),
        ({"snr": (5, 0)}, "the lower first"),
        ({"snr": 1e9}, "-100 to 100 dB"),
        ({"pairs": {"train": 0}}, "pairs must be 1 or more"),
        ({"pairs": {"dev": 3}}, "has no split 'dev'"),
        ({"length": 0}, "length must be 1 or more"),
        ({"level": "loud"}, "unknown level 'loud'"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
        ({"sample_rate": 8000}, "16000 Hz, not 8000 Hz; --resample converts it"),
    ],
)
def test_wrong_options_are_one_clear_sentence(tree, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        prepare_pairs(tree, tmp_path / "set", **options)
    assert not (tmp_path / "set" / "manifest.json").exists()


def test_a_folder_without_noise_is_refused(tree, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no recordings of noise"):
        prepare_pairs(tree, tmp_path / "set", noise=tmp_path / "empty")
