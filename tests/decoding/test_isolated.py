"""One decision for a recording of a single word."""

import itertools

import numpy as np
import pytest

import zoo
from zoo.decoding.isolated import recognise, uniform_states
from zoo.errors import UsageError


def best_by_trying(log, states, stay):
    """The best score of each class over all sequences of its states."""
    found = []
    for label in range(log.shape[1] // states):
        best = -np.inf
        for path in itertools.product(range(states), repeat=len(log)):
            steps = np.diff(path)
            if path[0] or not set(steps) <= {0, 1} or path[-1] < min(states, len(log)) - 1:
                continue
            score = sum(log[t, label * states + s] for t, s in enumerate(path))
            score += sum(np.log(stay) if step == 0 else np.log(1 - stay) for step in steps)
            best = max(best, score)
        found.append(best)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("frames", [1, 3, 6])
def test_finds_the_best_path_of_every_class(seed, frames):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(6), frames)
    decision = recognise(probabilities, states=3, stay=0.7)
    expected = best_by_trying(np.log(probabilities), 3, 0.7)
    np.testing.assert_allclose(decision.scores, expected, rtol=1e-5)
    assert decision.class_index == np.argmax(expected)


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
        (lambda: recognise(np.zeros((0, 6))), r"received \(0, 6\)"),
        (lambda: recognise(np.zeros((3, 7)), states=3), r"received \(3, 7\) and states=3"),
        (lambda: recognise(np.ones((3, 6)), stay=1.0), "stay must be a chance between 0 and 1"),
    ],
)
def test_wrong_arrays_are_told(call, message):
    with pytest.raises(UsageError, match=message):
        call()
