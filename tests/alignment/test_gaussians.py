"""A flat start: densities against SciPy's, and phones found in sounds without any times."""

import itertools

import numpy as np
import pytest
from scipy import fft, stats

from zoo.alignment.gaussians import Gaussians, Heard, cepstra, flat_start
from zoo.decoding.edits import SILENCE
from zoo.errors import UsageError

BANDS = 20


def speech(rng, recordings=40):
    """Recordings of four sounds in a random order, silence around: features and true labels."""
    shapes = rng.normal(0, 1, (5, BANDS))
    shapes[0] = -2.0
    made = []
    for _ in range(recordings):
        order = [0]
        while len(order) < 9:
            sound = int(rng.integers(1, 5))
            if sound != order[-1]:
                order.append(sound)
        order.append(0)
        lengths = rng.integers(5, 15, len(order))
        labels = np.repeat(order, lengths)
        x = shapes[labels] + rng.normal(0, 0.3, (len(labels), BANDS))
        features = cepstra(x.T[:, :, None].astype("float32"))
        words = [[("abcd"[sound - 1],)] for sound in order[1:-1]]
        made.append((Heard(features, x.mean(axis=1), words), labels))
    return made


@pytest.fixture(scope="module")
def learnt():
    made = speech(np.random.default_rng(0))
    return made, flat_start([heard for heard, _ in made])


def test_borders_are_found_from_nothing(learnt):
    made, model = learnt
    assert model.phones == (SILENCE, "a", "b", "c", "d")
    errors = []
    for heard, labels in made:
        way = model.way(heard)
        units = way.graph.unit[way.states]
        found = np.flatnonzero(np.diff(units)) + 1
        true = np.flatnonzero(np.diff(labels)) + 1
        assert len(found) == len(true)
        errors += np.abs(found - true).tolist()
    assert np.mean(np.array(errors) <= 2) > 0.95


def test_densities_are_those_of_normal_distributions(learnt):
    made, model = learnt
    features = made[0][0].features[:7]
    found = model.scores(features)
    x = (features - model.mean) / model.deviation
    for state in (0, 4, len(model.means) - 1):
        inverse = np.linalg.inv(model.whitening[state].astype("float64"))
        wanted = stats.multivariate_normal(model.means[state], inverse @ inverse.T).logpdf(x)
        # Without the constant that all states have.
        constant = 0.5 * x.shape[1] * np.log(2 * np.pi)
        np.testing.assert_allclose(found[:, state], wanted + constant, rtol=2e-3, atol=0.05)


def test_cepstra_are_cosine_transforms_with_slopes():
    x = np.random.default_rng(0).normal(size=(BANDS, 9, 1))
    found = cepstra(x)
    static = fft.dct(x[:, :, 0].T, norm="ortho", axis=1)[:, :13]
    slopes = np.gradient(np.pad(static, ((1, 1), (0, 0)), mode="edge"), axis=0)[1:-1]
    np.testing.assert_allclose(found[:, :13], static, atol=1e-5)
    np.testing.assert_allclose(found[:, 13:26], slopes, atol=1e-5)


def test_the_same_recordings_give_the_same_model(learnt):
    made, model = learnt
    again = flat_start([heard for heard, _ in made])
    np.testing.assert_array_equal(again.whitening, model.whitening)


def test_a_model_is_read_as_it_was_written(learnt, tmp_path):
    _, model = learnt
    model.save(tmp_path / "model.npz")
    read = Gaussians.load(tmp_path / "model.npz")
    assert read.phones == model.phones
    np.testing.assert_array_equal(read.means, model.means)
    assert [f.name for f in tmp_path.iterdir()] == ["model.npz"]


def test_of_two_pronunciations_that_one_is_taken_which_is_heard(learnt):
    made, model = learnt
    for heard, _ in made[:10]:
        (right,) = heard.words[3]
        wrong = ("d",) if right != ("d",) else ("a",)
        both = [[*w] for w in heard.words]
        both[3] = [wrong, right]
        way = model.way(heard._replace(words=both))
        chosen = {
            u.variant
            for u in map(way.graph.units.__getitem__, way.graph.unit[way.states])
            if u.word == 3
        }
        assert chosen == {1}


def test_stress_makes_no_phone_of_its_own():
    made = speech(np.random.default_rng(1), 12)
    names = {"a": ("AA0", "AA1")}
    stressed = []
    for (heard, _), place in zip(made, itertools.cycle([0, 1]), strict=False):
        words = [
            [tuple(names.get(p, (p, p))[place] for p in w) for w in word] for word in heard.words
        ]
        stressed.append(heard._replace(words=words))
    model = flat_start(stressed)
    assert model.phones == (SILENCE, "AA", "b", "c", "d")
    assert model.said.states_of(["AA2"]) == model.said.states_of(["AA"])


def test_a_phone_that_was_not_learnt_is_named(learnt):
    with pytest.raises(
        UsageError, match=r"words\.txt: the phone 'zz' does not occur in the training"
    ):
        learnt[1].said.states_of(["zz"], "words.txt")


def test_recordings_that_are_too_short_are_left_out():
    made = [heard for heard, _ in speech(np.random.default_rng(2), 12)]
    short = Heard(made[0].features[:4], made[0].level[:4], made[0].words)
    np.testing.assert_array_equal(flat_start([*made, short]).phones, flat_start(made).phones)
    assert flat_start([*made, short]).way(short) is None
    with pytest.raises(ValueError, match="long enough"):
        flat_start([short])
