"""Reconstruction scores, probes and ensembles, beside NumPy, SciPy and scikit-style loops."""

import json

import keras
import numpy as np
import pytest
from scipy import signal, stats

import zoo
from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.evaluation.probe import linear_probe, nearest_neighbours, probe
from zoo.evaluation.reconstruction import (
    average_waveform_threshold,
    likeness,
    output_variation,
    reconstruction_scores,
    time_spread,
    waveforms,
)
from zoo.evaluation.runs import evaluate, evaluate_autoencoder, vote
from zoo.evaluation.statistics import mean_interval
from zoo.files import write_json
from zoo.layers import representation_settings
from zoo.ops.inverse import invert
from zoo.runs import Run

RNG = np.random.default_rng(0)


def frontend(kind="real", mean=0.0):
    settings = representation_settings(kind)
    return Frontend(16000, 2554, "segment", settings, np.full((201, 16, 1), mean, "float32"))


def spectrograms(examples=12):
    """Centred spectrograms of noise, as a set of real parts has them."""
    waves = RNG.normal(size=(examples, 2554)).astype("float32")
    return frontend().examples(list(waves))


@pytest.fixture(scope="module")
def inputs():
    return spectrograms()


def scores(inputs, outputs, **kwargs):
    labels = np.arange(len(inputs)) % 3
    return reconstruction_scores(inputs, outputs, labels, frontend(), **kwargs)


def test_a_perfect_copy(inputs):
    found = scores(inputs, inputs)
    assert found["euclidean_error"] == found["euclidean_error_uniform"] == 0
    lengths = [np.sqrt(sum(v**2 for v in x.ravel().astype(float))) for x in inputs]
    assert found["null_distance"] == pytest.approx(np.mean(lengths))
    assert found["output_variation"] == pytest.approx(1)
    assert not found["constant_output"]
    assert found["cross_correlation"] == pytest.approx(1)
    assert found["waveform_cross_correlation"] == pytest.approx(1)


def test_a_louder_copy_is_far_away_and_perfectly_alike(inputs):
    found = scores(inputs, 10 * inputs)
    assert found["euclidean_error"] == pytest.approx(9 * found["null_distance"])
    assert found["cross_correlation"] == pytest.approx(1)
    assert found["waveform_cross_correlation"] == pytest.approx(1)


def test_an_average_for_every_input_is_called_out(inputs):
    average = np.broadcast_to(inputs.mean(axis=0), inputs.shape)
    found = scores(inputs, average)
    assert found["output_variation"] == pytest.approx(0, abs=1e-9)
    assert found["constant_output"]
    nearly = average + 0.01 * inputs
    assert scores(inputs, nearly)["constant_output"]
    assert not scores(inputs, average + 0.2 * inputs)["constant_output"]


def test_the_uniform_error_counts_classes_alike():
    inputs = np.zeros((4, 201, 16, 1), "float32")
    outputs = inputs.copy()
    outputs[3, 0, 0, 0] = 6
    labels = np.array([0, 0, 0, 1])
    found = reconstruction_scores(inputs, outputs, labels, frontend())
    assert found["euclidean_error"] == pytest.approx(1.5)
    assert found["euclidean_error_uniform"] == pytest.approx(3)


def test_output_variation_by_hand():
    inputs = np.array([[0.0, 0], [2, 4]])
    assert output_variation(inputs, np.array([[1.0, 0], [1, 2]])) == pytest.approx(1 / 5)
    assert output_variation(np.ones((3, 2)), inputs[:1].repeat(3, 0)) == 0


def test_logarithms_that_overshoot_give_a_number():
    labels = np.arange(3)
    inputs = RNG.normal(size=(3, 201, 16, 1)).astype("float32")
    found = reconstruction_scores(inputs, 1e4 * inputs, labels, frontend("log_magnitude"))
    assert 0 <= found["waveform_cross_correlation"] <= 1 + 1e-9
    mel = reconstruction_scores(inputs, inputs, labels, frontend("log_mel"))
    assert mel["waveform_cross_correlation"] is None


def test_the_linear_probe_is_ridge_regression_of_the_best_left_out_error():
    known = RNG.normal(size=(30, 4)) * [1, 1, 1, 0.1]
    labels = (known[:, 0] > 0).astype(int) + 2 * (known[:, 1] > 0)
    asked = RNG.normal(size=(7, 4))
    target = np.eye(4)[labels]

    def ridge(x, y, at, strength):
        a, b = x - x.mean(0), y - y.mean(0)
        weights = np.linalg.solve(a.T @ a + strength * np.eye(4), a.T @ b)
        return (at - x.mean(0)) @ weights + y.mean(0)

    unit = np.mean(np.linalg.svd(known - known.mean(0), compute_uv=False) ** 2)
    strengths = unit * 10.0 ** np.arange(-6, 3)

    def left_out(strength):
        rest = [np.delete(np.arange(30), i) for i in range(30)]
        return sum(
            ((ridge(known[r], target[r], known[[i]], strength) - target[i]) ** 2).sum()
            for i, r in enumerate(rest)
        )

    best = min(strengths, key=left_out)
    expected = ridge(known, target, asked, best)
    np.testing.assert_allclose(linear_probe(known, labels, asked, 4), expected, atol=1e-8)


def test_the_linear_probe_takes_more_elements_than_examples():
    known = RNG.normal(size=(6, 50))
    answers = linear_probe(known, np.array([0, 1, 2, 0, 1, 2]), known, 3)
    np.testing.assert_array_equal(answers.argmax(axis=1), [0, 1, 2, 0, 1, 2])


def test_neighbours_vote_and_the_nearest_decides_a_tie():
    known, asked = RNG.normal(size=(40, 3)), RNG.normal(size=(1500, 3))
    labels = RNG.integers(0, 4, 40)
    answers = nearest_neighbours(known, labels, asked, 4).argmax(axis=1)
    for point, answer in zip(asked, answers, strict=True):
        near = labels[np.argsort(((known - point) ** 2).sum(axis=1), kind="stable")[:5]]
        votes = np.bincount(near, minlength=4)
        assert votes[answer] == votes.max()
        if (votes == votes.max()).sum() > 1 and votes[near[0]] == votes.max():
            assert answer == near[0]
    few = nearest_neighbours(known[:2], labels[:2], known[:2], 4)
    np.testing.assert_array_equal(few.argmax(axis=1), labels[:2])


def test_votes_count_before_probabilities():
    one = np.array([[0.5, 0.4, 0.1], [0.9, 0.1, 0.0]])
    two = np.array([[0.5, 0.1, 0.4], [0.4, 0.6, 0.0]])
    three = np.array([[0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])
    decided = vote([one, two, three])
    # The mean prefers class 1 of the first example; two of three votes are for class 0.
    np.testing.assert_array_equal(decided.argmax(axis=1), [0, 0])
    np.testing.assert_allclose(decided.sum(axis=1), 1)


def make_runs(prepared, folder, name, count, **options):
    runs = []
    for seed in range(count):
        run = folder / f"{name}-{seed}"
        run.mkdir()
        keras.utils.set_random_seed(seed)
        prepared.frontend.save(run)
        model = zoo.build(name, input_shape=prepared.shape, **options)
        model.save(run / "model.keras")
        card = zoo.describe(name)
        config = {"model": name, "family": card.family, "classes": list(prepared.classes)}
        write_json(run / "config.json", config)
        runs.append(run)
    return runs


SMALL = {"filters": (2,), "kernel_sizes": ((3, 3),), "pool_sizes": ((2, 2),)}
SMALL |= {"pool_strides": ((2, 2),)}


def test_an_ensemble_of_classifiers_is_the_mean_or_the_vote(small_set, tmp_path):
    runs = make_runs(small_set, tmp_path, "freq", 3, **SMALL, dense_units=(4,))
    each = [evaluate(r, small_set).probabilities for r in runs]
    mean = evaluate(runs, small_set, ensemble="mean")
    np.testing.assert_allclose(mean.probabilities, np.mean(each, axis=0), atol=1e-6)
    assert (mean.scores["ensemble"], mean.scores["runs"]) == ("mean", 3)
    voted = evaluate(runs, small_set, ensemble="vote")
    np.testing.assert_allclose(voted.probabilities, vote(each), atol=1e-6)
    with pytest.raises(UsageError, match="3 runs are scored as an ensemble: add --ensemble"):
        evaluate(runs, small_set)
    with pytest.raises(UsageError, match="mean or vote; received 'median'"):
        evaluate(runs, small_set, ensemble="median")


def test_reconstructions_are_averaged_and_not_voted_on(small_set, tmp_path):
    runs = make_runs(small_set, tmp_path, "freq_fullpad_ae", 2, **SMALL)
    assert Run.open(runs[0]).is_autoencoder
    each = [evaluate_autoencoder(r, small_set).outputs for r in runs]
    mean = evaluate_autoencoder(runs, small_set, ensemble="mean")
    np.testing.assert_allclose(mean.outputs, np.mean(each, axis=0), atol=1e-5)
    distances = np.linalg.norm((mean.outputs - mean.inputs).reshape(len(mean.inputs), -1), axis=1)
    assert mean.scores["euclidean_error"] == pytest.approx(distances.mean(), rel=1e-5)
    assert json.dumps(mean.scores)
    with pytest.raises(UsageError, match="not voted on"):
        evaluate_autoencoder(runs, small_set, ensemble="vote")
    with pytest.raises(UsageError, match="is not a run of a classifier"):
        evaluate(runs[0], small_set)


def test_a_probe_reads_the_code(small_set, tmp_path):
    [run] = make_runs(small_set, tmp_path, "freq_fullpad_ae", 1, **SMALL)
    found = probe(run, small_set, labels_per_class=4)
    assert found["code"] == int(np.prod(zoo.load(run).get_layer("code").output.shape[1:]))
    # Tones and noises of these tests are told apart even by random filters.
    assert found["linear"]["accuracy_39"] > 0.5
    assert found["neighbours"]["accuracy_39"] > 0.3
    assert found == probe(run, small_set, labels_per_class=4)
    # A code without content is worth no more than a guess.
    model = zoo.load(run)
    model.get_layer("conv1").kernel.assign(np.zeros(model.get_layer("conv1").kernel.shape))
    model.save(run / "model.keras")
    blank = probe(run, small_set, labels_per_class=4)
    assert blank["linear"]["balanced_accuracy_39"] < 0.2


@pytest.mark.parametrize("count", [2, 5, 31, 80])
def test_intervals_are_students(count):
    values = RNG.normal(size=count)
    mean, half = mean_interval(list(values))
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert mean == pytest.approx(values.mean())
    assert half == pytest.approx((high - low) / 2, rel=0.03)
    assert half >= 0.999 * (high - low) / 2
    assert mean_interval([0.25]) == (0.25, None)


def test_churchmans_measures_are_of_each_reconstruction(inputs):
    outputs = 0.5 * inputs + np.roll(inputs, 1, axis=0)
    found = likeness(inputs, outputs, frontend())
    assert {len(values) for values in found.values()} == {len(inputs)}
    waves = [invert(x, frontend().representation) for x in (inputs, outputs)]
    for n, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
        x, y = x.astype(float), y.astype(float)
        assert found["euclidean_error"][n] == pytest.approx(np.sqrt(((x - y) ** 2).sum()))
        assert found["null_distance"][n] == pytest.approx(np.sqrt((x**2).sum()))
        ratio = np.sqrt((y**2).sum() / (x**2).sum())
        assert found["intensity"][n] == pytest.approx(ratio)
        # As MATLAB reads matrices: column by column.
        columns = [z[..., 0].ravel(order="F") for z in (x, y)]
        pairs = {"cross_correlation": columns, "waveform_cross_correlation": [w[n] for w in waves]}
        for name, (a, b) in pairs.items():
            best = signal.correlate(a, b).max() / np.linalg.norm(a) / np.linalg.norm(b)
            assert found[name][n] == pytest.approx(best, rel=1e-6)


def test_time_spread_is_the_share_of_frames_in_use():
    x = np.zeros((4, 3, 8, 1), "float32")
    x[0, 1] = 2
    x[1, :, 5] = 1
    x[2, 0, [1, 6]] = -3
    np.testing.assert_allclose(time_spread(x), [1, 1 / 8, 2 / 8, 1])


def test_the_threshold_is_the_average_waveforms_correlation(inputs):
    mean = spectrograms(1)[0]
    settings = representation_settings("real")
    averaged = Frontend(16000, 2554, "segment", settings, mean)
    average = invert(mean[None], settings)[0]
    expected = []
    for wave in invert(inputs + mean, settings):
        best = signal.correlate(wave, average).max()
        expected.append(best / np.linalg.norm(wave) / np.linalg.norm(average))
    found = average_waveform_threshold(waveforms(inputs, averaged), averaged)
    assert found == pytest.approx(np.mean(expected), rel=1e-6)
