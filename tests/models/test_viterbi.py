"""Viterbi search against trying every path."""

import itertools

import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.models.viterbi import recognise, uniform_states, viterbi


def best_by_trying(scores, transitions, initial, final):
    best, best_score = None, -np.inf
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        score = initial[path[0]] + final[path[-1]]
        score += sum(scores[t, s] for t, s in enumerate(path))
        score += sum(transitions[a, b] for a, b in itertools.pairwise(path))
        if score > best_score:
            best, best_score = path, score
    return best, best_score


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_finds_the_best_path(seed, frames):
    rng = np.random.default_rng(seed)
    scores, transitions = rng.normal(size=(frames, 4)), rng.normal(size=(4, 4))
    transitions[rng.random((4, 4)) < 0.3] = -np.inf
    np.fill_diagonal(transitions, -0.5)
    initial, final = rng.normal(size=4), rng.normal(size=4)
    path, score = viterbi(scores, transitions, initial, final)
    expected, expected_score = best_by_trying(scores, transitions, initial, final)
    assert score == pytest.approx(expected_score)
    assert tuple(path) == expected


def test_by_hand():
    # Staying is free, changing costs 2: one outlier is not worth two changes, a run of three is.
    scores = np.array([[0, -3], [-1, 0], [0, -3], [-1, 0], [-1, 0], [-1, 0]], float)
    transitions = np.array([[0, -2], [-2, 0]], float)
    path, score = viterbi(scores, transitions, np.zeros(2))
    assert path.tolist() == [0, 0, 0, 1, 1, 1]
    assert score == -3


def test_recognises_the_class_whose_states_come_in_order():
    ordered = np.full((9, 6), 0.02)
    for frame in range(9):
        ordered[frame, 3 + frame // 3] = 0.9
    decision = recognise(ordered, states=3)
    assert decision.class_index == 1
    assert decision.path.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    backwards = recognise(ordered[::-1], states=3)
    assert backwards.scores[1] < decision.scores[1]


def test_recordings_shorter_than_the_states():
    probabilities = np.full((2, 6), 0.1)
    probabilities[0, 3] = probabilities[1, 4] = 0.5
    decision = recognise(probabilities, states=3)
    assert decision.class_index == 1
    assert decision.path.tolist() == [0, 1]


def test_uniform_states():
    assert uniform_states(2, 7, states=3).tolist() == [6, 6, 6, 7, 7, 8, 8]


def test_learns_with_the_network():
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(10, 3, 40))  # one spectrum for each state of each digit
    labels = np.repeat(np.arange(10), 4)
    x = np.stack([np.repeat(shapes[label], 4, axis=0).T for label in labels])[..., None]
    x = (x + 0.3 * rng.normal(size=x.shape)).astype("float32")  # (N, 40, 12, 1)
    y = np.stack([uniform_states(label, 12) for label in labels])
    model = zoo.build("digits_frames", dropout=0)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(x, y, epochs=40, batch_size=8, verbose=0)
    decided = [recognise(p).class_index for p in np.asarray(model.predict(x, verbose=0))]
    assert np.mean(decided == labels) > 0.95


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viterbi(np.zeros((0, 2)), np.zeros((2, 2)), np.zeros(2)), "T from 1 on"),
        (lambda: viterbi(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros(2)), r"transitions \(S, S\)"),
        (lambda: recognise(np.zeros((3, 7)), states=3), r"received \(3, 7\) and states=3"),
        (lambda: recognise(np.ones((3, 6)), stay=1.0), "stay must be a chance between 0 and 1"),
    ],
)
def test_wrong_arrays_are_told(call, message):
    with pytest.raises(UsageError, match=message):
        call()
