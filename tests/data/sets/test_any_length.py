"""Sets whose examples have lengths of their own: spoken digits at the rate they have."""

import keras
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.data.sets.samplers import LengthBuckets, NaturalEpochs
from zoo.errors import UsageError
from zoo.layers import centre_layer


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("digits")
    for digit in range(10):
        for speaker in ("anna", "ben", "carl"):
            samples = int(rng.integers(300, 6000))
            tone = np.sin(np.arange(samples) * (0.1 + 0.05 * digit)) * rng.uniform(0.1, 0.9)
            soundfile.write(root / f"{digit}_{speaker}_0.wav", tone, 8000, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def prepared(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("digits") / "set"
    return prepare(digits, out, representation="log_magnitude")


def log_magnitude(path):
    """Literally: frames of 1/60 s every 9.2 ms at 8 kHz, (101, frames)."""
    wave, rate = soundfile.read(path)
    assert rate == 8000
    wave = wave / np.abs(wave).max()
    if len(wave) < 134:
        wave = np.pad(wave, (0, 134 - len(wave)))
    starts = range(0, len(wave) - 134 + 1, 74)
    frames = [np.fft.rfft(wave[s : s + 134] * np.hamming(134), 200) for s in starts]
    return np.log(np.abs(np.stack(frames, axis=1)) + 0.01)


def test_every_recording_is_stored_as_long_as_it_is(digits, prepared):
    assert (prepared.shape, prepared.sample_rate) == ((101, None, 1), 8000)
    spectra = {
        split: [log_magnitude(digits / f"{row.utterance}.wav") for row in prepared.segments(split)]
        for split in ("train", "test")
    }
    mean = np.concatenate(spectra["train"], axis=1).mean(axis=1)
    np.testing.assert_allclose(prepared.mean[:, 0, 0], mean, atol=1e-4)
    for split, expected in spectra.items():
        features = prepared.features(split)
        assert features.shape == (len(expected), 101, None, 1)
        np.testing.assert_array_equal(features.lengths, [x.shape[1] for x in expected])
        for one, other in zip(features, expected, strict=True):
            np.testing.assert_allclose(one[..., 0], other - mean[:, None], atol=5e-4)
        labels = [row.utterance[0] for row in prepared.segments(split)]
        assert [prepared.classes[c] for c in prepared.labels(split)] == labels


def test_no_speaker_is_on_both_sides(prepared):
    train, test = (set(prepared.segments(split).speaker) for split in ("train", "test"))
    assert train == {"anna", "ben"}
    assert test == {"carl"}


def test_several_are_padded_by_the_mean_and_masked(prepared):
    features = prepared.features("train")
    index = [3, 0, 7]
    x, mask = features.padded(index, 100)
    assert (x.shape, mask.shape) == ((3, 101, 100, 1), (3, 100))
    np.testing.assert_array_equal(mask.sum(axis=1), features.lengths[index])
    for row, number in enumerate(index):
        np.testing.assert_array_equal(x[row][:, mask[row]], features[number])
        assert (x[row][:, ~mask[row]] == 0).all()
    np.testing.assert_array_equal(features[index], x[:, :, : features.lengths[index].max()])


def test_a_waveform_is_the_recording_itself(digits, tmp_path):
    prepared = prepare(digits, tmp_path / "set", representation="waveform", level="none")
    assert prepared.shape == (None, 1)
    for row, example in zip(prepared.segments("test"), prepared.features("test"), strict=True):
        wave, _ = soundfile.read(digits / f"{row.utterance}.wav", dtype="float32")
        np.testing.assert_array_equal(example[:, 0], wave)
    assert not prepared.mean.any()
    model = zoo.build("digits_filterbank")
    assert model(prepared.features("test")[:2]).shape == (2, 10)


def test_the_front_end_gives_what_is_stored(digits, prepared):
    rows = prepared.segments("test")
    waves = [
        soundfile.read(digits / f"{row.utterance}.wav", dtype="float32")[0] for row in rows[:3]
    ]
    np.testing.assert_allclose(
        prepared.frontend.examples(waves), prepared.features("test")[:3], atol=1e-4
    )


def test_the_mean_is_subtracted_by_its_layer_whatever_the_length(prepared, tmp_path):
    inputs = keras.Input(prepared.shape)
    model = keras.Model(inputs, centre_layer(prepared.frontend)(inputs))
    model.save(tmp_path / "centre.keras")
    model = keras.saving.load_model(tmp_path / "centre.keras", safe_mode=True)
    for example in prepared.features("test")[:2]:
        raw = example + prepared.mean
        np.testing.assert_allclose(model(raw[None])[0], example, atol=1e-6)


def test_like_takes_the_rate_and_any_length_too(digits, prepared, tmp_path):
    two = prepare(digits, tmp_path / "two", like=prepared.path)
    assert two.frontend.fingerprint == prepared.frontend.fingerprint
    np.testing.assert_array_equal(two.features("test")[4], prepared.features("test")[4])


def test_phones_may_have_any_length_too(tmp_path):
    prepared = prepare(make_tree(tmp_path / "corpus"), tmp_path / "set", length="any")
    rows = prepared.segments("train")
    frames = np.maximum((rows.end - rows.start - 267) // 147 + 1, 1)
    np.testing.assert_array_equal(prepared.features("train").lengths, frames)
    assert prepared.excluded("train") == 0


def test_every_mel_band_holds_a_bin_at_8_khz(digits, tmp_path):
    for representation in ("log_mel", "mfcc", "gammatone"):
        prepared = prepare(digits, tmp_path / representation, representation=representation)
        for split in prepared.splits:
            assert np.isfinite(prepared.features(split)).all()


def test_a_rate_that_a_representation_cannot_do_is_refused(digits, tmp_path):
    with pytest.raises(UsageError, match=r"log_mel at 1000 Hz: .* bands hold no bin"):
        prepare(digits, tmp_path / "set", representation="log_mel", sample_rate=1000, resample=True)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(0, 3),
)
@settings(max_examples=50)
def test_buckets_show_each_example_of_the_epoch_once(lengths, batch_size, buckets, epoch):
    lengths = np.array(lengths)
    sampler = NaturalEpochs(np.zeros(len(lengths), int), seed=1)
    batches = LengthBuckets(lengths, sampler, batch_size, buckets).epoch(epoch)
    index = np.concatenate([index for index, _ in batches])
    np.testing.assert_array_equal(np.sort(index), np.arange(len(lengths)))
    for index, length in batches:
        assert 1 <= len(index) <= batch_size
        assert lengths[index].max() <= length
    assert len({length for _, length in batches}) <= buckets
    again = LengthBuckets(lengths, sampler, batch_size, buckets).epoch(epoch)
    for one, other in zip(batches, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_buckets_part_short_from_long():
    lengths = np.array([10, 11, 12, 40, 41, 42])
    batches = LengthBuckets(lengths, NaturalEpochs(lengths), 8, buckets=2).epoch(0)
    assert sorted((sorted(index.tolist()), length) for index, length in batches) == [
        ([0, 1, 2], 12),
        ([3, 4, 5], 42),
    ]
    with pytest.raises(UsageError, match="batch_size and buckets must be 1 or more"):
        LengthBuckets(lengths, NaturalEpochs(lengths), 0)
