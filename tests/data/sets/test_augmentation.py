"""Augmentations against what they approximate and against literal loops."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.features.frontend import Frontend
from zoo.data.sets import augmentation
from zoo.data.sets.augmentation import Augmenter, parse
from zoo.errors import UsageError
from zoo.layers import representation_settings

ALL = ("pitch", "shift", "gain", "noise", "mask", "mixup")


def rng(seed=0):
    return np.random.default_rng(seed)


def batch(examples=6, shape=(21, 9, 1), seed=1):
    return rng(seed).normal(size=(examples, *shape)).astype("float32")


def front(kind="magnitude", mean=0.0, shape=(21, 9, 1), deltas=0):
    settings_ = representation_settings(kind, deltas)
    return Frontend(16000, 2554, "segment", settings_, np.full(shape, mean, "float32"))


@pytest.mark.parametrize("text", ["gain", "pitch,gain", "noise", "pitch,lowpass"])
def test_amplitudes_are_not_changed_where_recordings_are_normalised(text):
    frontend = dataclasses.replace(front(), normalize="recording", level="file")
    with pytest.raises(
        UsageError, match="changes amplitudes, which normalisation by recording removes"
    ):
        Augmenter(text, frontend, 3)
    Augmenter("pitch,mask", frontend, 3)


def test_pitch_is_linear_interpolation_along_frequency():
    x = batch()
    factors = 1 + rng().uniform(-0.2, 0.2, len(x))
    expected = np.stack(
        [
            np.stack(
                [np.interp(np.arange(21) / f, np.arange(21), e[:, t, 0]) for t in range(9)], axis=1
            )
            for e, f in zip(x, factors, strict=True)
        ]
    )
    np.testing.assert_allclose(augmentation.pitch(x, 0.2, rng())[..., 0], expected, atol=1e-6)


def test_pitch_moves_a_peak_to_its_multiple():
    x = np.zeros((40, 201, 3, 1), "float32")
    x[:, 100] = 1
    peaks = augmentation.pitch(x, 0.1, rng()).argmax(axis=1)[:, 0, 0]
    factors = 1 + rng().uniform(-0.1, 0.1, len(x))
    assert np.abs(peaks - 100 * factors).max() <= 1


def test_tempo_moves_the_labels_of_frames_with_the_frames():
    labels = np.repeat(rng().integers(0, 9, (5, 12)), 10, axis=1)  # (5, 120)
    x = np.tile(labels[:, None, :, None], (1, 40, 1, 1)).astype("float32")
    frontend = front("log_mel", shape=(40, 1, 1))
    stretched, moved = Augmenter("tempo=0.3", frontend, 9, seed=2)(x, labels, 0, 4)
    # Where both frames between which one is taken have a label, it is that.
    pure = stretched[:, 0, :, 0] == stretched[:, 0, :, 0].round()
    assert 0.8 < pure.mean() < 1
    assert (moved != labels).any()
    np.testing.assert_array_equal(moved[pure], stretched[:, 0, :, 0][pure])
    again, whole = Augmenter("tempo=0.3", frontend, 9, seed=2)(x, labels[:, 0], 0, 4)
    np.testing.assert_array_equal(again, stretched)
    np.testing.assert_array_equal(whole, labels[:, 0])


def test_shift_moves_frames_and_repeats_the_edge():
    x = batch()
    by = rng().integers(-2, 3, len(x))
    assert len(set(by)) > 2
    shifted = augmentation.shift(x, 2, rng())
    for example, moved, n in zip(x, shifted, by, strict=True):
        for t in range(9):
            np.testing.assert_array_equal(moved[:, t], example[:, min(max(t - n, 0), 8)])


@pytest.mark.parametrize("kind", ["real", "magnitude", "power", "log_magnitude", "log_power"])
def test_gain_is_that_of_the_waveform(kind):
    from zoo.layers import Spectrogram

    layer = Spectrogram(kind)
    waves = rng().normal(size=(4, 2554)).astype("float32")
    x = np.asarray(layer(waves))
    frontend = front(kind, 0.3, x.shape[1:])
    changed, _ = Augmenter("gain=12", frontend, 3, seed=5)(x - 0.3, np.zeros(4, int), 2, 7)
    place = 1 + ALL.index("gain")
    decibels = rng([5, 2, 7, place]).uniform(-12, 12, 4)
    louder = np.asarray(layer(waves * (10 ** (decibels / 20))[:, None].astype("float32")))
    np.testing.assert_allclose(changed + 0.3, louder, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("kind", ["real", "magnitude", "log_magnitude", "power"])
def test_noise_has_the_statistics_of_noise_in_the_waveform(kind):
    from zoo.layers import Spectrogram

    layer, samples = Spectrogram(kind), 2554
    wave = np.sin(np.arange(samples) * 0.3).astype("float32")
    # One level for all: what is drawn between 10 and 30 dB is looked up.
    copies = np.repeat(wave[None], 200, axis=0)
    x = np.asarray(layer(copies))
    frontend = front(kind, 0.0, x.shape[1:])
    augmented, _ = Augmenter("noise=10", frontend, 3)(x, np.zeros(200, int), 0, 0)
    ratio = 10 ** (rng([0, 0, 0, 1 + ALL.index("noise")]).uniform(10, 30, 200) / 10)
    # White noise whose spectrum has that share of the signal's power in every bin on average.
    plain = np.asarray(Spectrogram("real" if kind == "real" else "power")(copies[:1]))
    power = np.mean(plain**2 if kind == "real" else plain)
    window = np.sum(np.hamming(267) ** 2) * (0.5 if kind == "real" else 1.0)
    noise = rng(1).normal(size=copies.shape) * np.sqrt(power / ratio / window)[:, None]
    literal = np.asarray(layer((copies + noise).astype("float32")))
    for statistic in (np.mean, np.var):
        # Frames of the steady tone are alike: taken together, chance weighs less.
        ours, theirs = (statistic(f, axis=0).mean(axis=(1, 2)) for f in (augmented, literal))
        # Bin 0 and the last one have no imaginary part: their noise differs by nature.
        error = np.abs(ours - theirs)[1:-1].mean() / np.abs(theirs)[1:-1].mean()
        assert error < 0.15, (statistic, error)


@pytest.mark.parametrize("kind", ["real", "log_magnitude"])
def test_lowpass_leaves_silence_above_a_cut_off_and_all_below(kind):
    from zoo.layers import Spectrogram

    layer = Spectrogram(kind)
    x = np.asarray(layer(rng().normal(size=(50, 2554)).astype("float32")))
    silence = np.asarray(layer(np.zeros((1, 2554), "float32")))[0]
    frontend = front(kind, 0.3, x.shape[1:])
    changed, _ = Augmenter("lowpass=0.4", frontend, 3)(x - 0.3, np.zeros(50, int), 0, 0)
    rows = []
    for example, source in zip(changed + 0.3, x, strict=True):
        silent = np.isclose(example, silence, atol=1e-4).all(axis=(1, 2))
        rows.append(np.sum(~silent))
        assert silent[rows[-1] :].all()
        np.testing.assert_allclose(example[: rows[-1]], source[: rows[-1]], rtol=1e-4, atol=1e-4)
    assert 0.4 * 201 <= min(rows) < 0.5 * 201
    assert max(rows) > 0.9 * 201


def test_mask_is_one_band_and_one_stretch_of_zeros():
    x = batch(64, (40, 20, 2)) + 10
    masked = augmentation.mask(x, 0.3, rng())
    widths = set()
    for example, source in zip(masked, x, strict=True):
        gone = (example == 0).all(axis=-1)
        rows = np.flatnonzero(gone.all(axis=1))
        columns = np.flatnonzero(gone.all(axis=0))
        for found, size in ((rows, 40), (columns, 20)):
            assert len(found) <= 0.3 * size
            assert len(found) == 0 or found[-1] - found[0] == len(found) - 1
        kept = np.delete(np.delete(example, rows, 0), columns, 1)
        np.testing.assert_array_equal(kept, np.delete(np.delete(source, rows, 0), columns, 1))
        widths.add(len(rows))
    assert widths == set(range(13))


def test_mixup_mixes_examples_and_labels_by_the_same_weight():
    x, labels = batch(), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    mixed, shares = augmentation.mixup(x, labels, 0.4, rng())
    draws = rng()
    partner, weight = draws.permutation(6), None
    weight = draws.beta(0.4, 0.4, 6)
    for i, (j, w) in enumerate(zip(partner, weight, strict=True)):
        np.testing.assert_allclose(mixed[i], w * x[i] + (1 - w) * x[j], rtol=1e-6)
        np.testing.assert_allclose(shares[i], w * labels[i] + (1 - w) * labels[j])
    np.testing.assert_allclose(shares.sum(axis=1), 1)


@given(
    st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)
@settings(max_examples=40)
def test_a_batch_depends_on_seed_epoch_and_number_alone(names, seed, epoch, number):
    x, labels = np.abs(batch()), np.array([0, 1, 2, 0, 1, 2])
    kept = x.copy()
    augment = Augmenter(",".join(names), front(mean=0.0), 3, seed)
    augment(x, labels, epoch + 1, number)
    one, shares = augment(x, labels, epoch, number)
    again = Augmenter(",".join(reversed(names)), front(mean=0.0), 3, seed)
    np.testing.assert_array_equal(one, again(x, labels, epoch, number)[0])
    np.testing.assert_array_equal(x, kept)
    assert one.shape == x.shape
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert shares.shape == ((6, 3) if "mixup" in names else (6,))
    for other in ((epoch + 1, number), (epoch, number + 1)):
        assert not np.array_equal(one, augment(x, labels, *other)[0])


def test_another_augmentation_does_not_change_the_draws_of_the_first():
    x, labels = batch(), np.zeros(6, int)
    gained, _ = Augmenter("gain", front("real"), 3)(x, labels, 0, 0)
    both, _ = Augmenter("mask=0.2,gain", front("real"), 3)(x, labels, 0, 0)
    np.testing.assert_array_equal(both[both != 0], gained[both != 0])


def test_all_kinds_take_masks_shifts_and_mixtures_but_only_spectra_the_rest():
    x = batch()
    for kind in ("mfcc", "log_mel", "gammatone", "magnitude_phase", "frames"):
        Augmenter("shift,mask,mixup", front(kind), 3)(x, np.zeros(6, int), 0, 0)
        with pytest.raises(UsageError, match=f"noise acts on real, .* not on {kind}"):
            Augmenter("mask,noise", front(kind), 3)
    with pytest.raises(UsageError, match="not on magnitude with deltas"):
        Augmenter("gain", front("magnitude", deltas=1), 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("msk", "unknown augmentation 'msk'. Did you mean 'mask'"),
        ("", "unknown augmentation ''"),
        ("mask,mask=0.1", "the augmentation 'mask' is given twice"),
        ("mask=2", "mask takes a number from 0 to 1 (largest share of an axis); received '2'"),
        ("noise=loud", "noise takes a number from -20 to 60"),
        ("gain=nan", "gain takes a number from 0 to 60"),
        ("mixup=", "mixup takes a number"),
    ],
)
def test_wrong_lists_are_refused(text, message):
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert str(refused.value).startswith(message)


def test_a_list_is_read_in_the_order_of_application():
    assert parse("mask=0.3, noise") == {"noise": 10, "mask": 0.3}
    assert list(parse("mixup,mask,noise,gain,shift,pitch")) == list(ALL)
