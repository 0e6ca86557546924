"""Viterbi search against its definition, and against trying every path."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from tests.helpers.decoding import best_by_segments, best_by_trying, path_score, phone_loop
from zoo.decoding import viterbi
from zoo.decoding.viterbi import CHUNKS, IMPOSSIBLE, LANES, Chains, best_paths, find_paths
from zoo.errors import UsageError
from zoo.ops.compilation import compiled


@st.composite
def problems(draw):
    """Whole numbers, so that equal scores are common."""
    frames, classes = draw(st.integers(1, 5)), 3
    numbers = st.integers(-6, 3).map(float)
    scores = draw(arrays.arrays("float64", (frames, classes), elements=numbers))
    weights = st.one_of(numbers, st.just(-np.inf))
    jumps = draw(arrays.arrays("float64", (classes, classes), elements=weights))
    np.fill_diagonal(jumps, -np.inf)
    initial = draw(arrays.arrays("float64", classes, elements=weights))
    durations = draw(st.lists(st.integers(1, 3), min_size=classes, max_size=classes))
    return scores, durations, jumps, initial


@given(problems())
@settings(max_examples=150, deadline=None)
def test_no_path_is_better(problem):
    scores, durations, jumps, initial = problem
    (path,) = find_paths([scores], Chains.of_durations(durations, jumps, initial))
    expected = best_by_trying(*problem)
    assert path.score == expected
    assert best_by_segments(*problem)[1] == expected
    if np.isfinite(expected):
        assert path_score(path.classes.tolist(), *problem) == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_of_different_lengths(seed):
    rng = np.random.default_rng(seed)
    jumps, initial = phone_loop(rng, 6)
    durations = rng.integers(1, 5, 6)
    chains = Chains.of_durations(durations, jumps, initial)
    lengths = np.array([1, 3, 17, 40])
    scores = rng.normal(size=(4, 40, 6))
    classes, states, totals = map(
        ops.convert_to_numpy, best_paths(scores.astype("float32"), chains, lengths)
    )
    alone = find_paths([s[:n] for s, n in zip(scores, lengths, strict=True)], chains)
    for row, length in enumerate(lengths):
        problem = (scores[row, :length], durations, jumps, initial)
        expected, score = best_by_segments(*problem)
        np.testing.assert_array_equal(classes[row, :length], expected)
        np.testing.assert_array_equal(alone[row].classes, expected)
        np.testing.assert_array_equal(alone[row].states, states[row, :length])
        assert totals[row] == pytest.approx(score, abs=1e-4)
        assert alone[row].score == pytest.approx(score, abs=1e-4)


def test_by_hand():
    # Staying is free, changing costs 2: one outlier is not worth two changes, a run of three is.
    scores = np.array([[0, -3], [-1, 0], [0, -3], [-1, 0], [-1, 0], [-1, 0]], float)
    jumps = np.array([[-np.inf, -2], [-2, -np.inf]])
    (path,) = find_paths([scores], Chains.of_durations([1, 1], jumps, np.zeros(2)))
    assert path.classes.tolist() == [0, 0, 0, 1, 1, 1]
    assert path.score == -3
    # One frame of the second phone is clearly heard, and has to be stretched to three.
    scores = np.zeros((7, 2))
    scores[:, 1] = -1
    scores[3] = -9, 0
    jumps[:] = 0
    np.fill_diagonal(jumps, -np.inf)
    (path,) = find_paths([scores], Chains.of_durations([2, 3], jumps, np.zeros(2)))
    assert np.flatnonzero(path.classes).size == 3
    assert path.score == -2


@pytest.mark.parametrize("kept", [viterbi.KEPT, 1])
def test_chunks_find_what_one_pass_finds(monkeypatch, kept):
    monkeypatch.setattr(viterbi, "KEPT", kept)
    rng = np.random.default_rng(5)
    jumps, initial = phone_loop(rng, 5)
    chains = Chains.of_durations([3, 1, 2, 3, 4], jumps, initial)
    frames = 3 * CHUNKS[-1] + 7
    scores = [rng.normal(size=(n, 5)).astype("float32") for n in (frames, 1, CHUNKS[-1])]
    chunked = find_paths(scores, chains)
    for array, path in zip(scores, chunked, strict=True):
        classes, _, total = compiled(lambda x: best_paths(x, chains))(
            ops.convert_to_tensor(array[None])
        )
        np.testing.assert_array_equal(ops.convert_to_numpy(classes)[0], path.classes)
        assert float(total[0]) == pytest.approx(path.score, rel=1e-5)
    (alone,) = find_paths(scores[:1], chains)
    np.testing.assert_array_equal(alone.classes, chunked[0].classes)


@pytest.mark.parametrize("lengths", [(3 * CHUNKS[-1] + 7,), (90, 1, 13)])
@pytest.mark.parametrize("kept", [viterbi.KEPT, 1])
def test_numpy_finds_what_keras_finds(monkeypatch, kept, lengths):
    monkeypatch.setattr(viterbi, "KEPT", kept)
    rng = np.random.default_rng(6)
    jumps, initial = phone_loop(rng, 5)
    chains = Chains.of_durations([3, 1, 2, 3, 4], jumps, initial)
    scores = [rng.normal(size=(n, 5)).astype("float32") for n in lengths]
    expected = find_paths(scores, chains)
    monkeypatch.setattr(viterbi, "_searchers", lambda frames: viterbi._IN_NUMPY)
    for path, other in zip(find_paths(scores, chains), expected, strict=True):
        np.testing.assert_array_equal(path.classes, other.classes)
        np.testing.assert_array_equal(path.states, other.states)
        assert path.score == pytest.approx(other.score, rel=1e-6)


def test_without_keras_short_recordings_are_searched_in_numpy_and_many_in_keras(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(viterbi, "_compiled", lambda: "keras")
    monkeypatch.setattr(viterbi, "_searched", 0)
    assert viterbi._searchers(viterbi.BY_NUMPY) is viterbi._IN_NUMPY
    assert viterbi._searchers(1) == "keras"
    monkeypatch.setattr(viterbi, "installed", lambda name: False)
    assert viterbi._searchers(1) is viterbi._IN_NUMPY


def test_hours_are_as_exact_as_seconds():
    # Every frame costs 40, so that a sum in single precision could no longer tell 0.01 apart.
    pattern = np.full((64, 2), -40.0)
    pattern[:32, 1] -= 0.01
    pattern[32:, 0] -= 0.01
    jumps = np.full((2, 2), -0.1)
    np.fill_diagonal(jumps, -np.inf)
    chains = Chains.of_durations([2, 2], jumps, np.zeros(2))
    (path,) = find_paths([np.tile(pattern, (4000, 1))], chains)
    np.testing.assert_array_equal(path.classes, np.tile(np.repeat([0, 1], 32), 4000))
    assert path.score == pytest.approx(-40 * 64 * 4000 - 0.1 * 7999, rel=1e-7)


def test_more_recordings_than_lanes_keep_their_order():
    rng = np.random.default_rng(2)
    jumps, initial = phone_loop(rng, 3)
    chains = Chains.of_durations([2, 2, 2], jumps, initial)
    scores = [rng.normal(size=(int(n), 3)) for n in rng.integers(1, 70, 2 * LANES + 1)]
    paths = find_paths(scores, chains)
    assert [len(p.classes) for p in paths] == [len(s) for s in scores]
    for array, path in zip(scores, paths, strict=True):
        (alone,) = find_paths([array], chains)
        np.testing.assert_array_equal(alone.classes, path.classes)
    assert find_paths([], chains) == []


def test_states_run_through_their_chain():
    rng = np.random.default_rng(3)
    jumps, initial = phone_loop(rng, 4)
    (path,) = find_paths(
        [rng.normal(size=(50, 4))], Chains.of_durations([1, 2, 3, 4], jumps, initial)
    )
    for label, group in itertools.groupby(
        zip(path.classes, path.states, strict=True), lambda p: p[0]
    ):
        states = [state for _, state in group]
        assert states[: label + 1] == list(range(3 - label, 4))
        assert set(states[label + 1 :]) <= {3}


def test_runs_in_a_saved_graph_of_any_size(tmp_path):
    tf = pytest.importorskip("tensorflow")
    if ops.convert_to_tensor(0.0).__class__.__module__.split(".")[0] != "tensorflow":
        pytest.skip("a graph of TensorFlow")
    rng = np.random.default_rng(4)
    jumps, initial = phone_loop(rng, 4)
    chains = Chains.of_durations([1, 2, 3, 2], jumps, initial)

    class Search(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec([None, None, 4]), tf.TensorSpec([None], tf.int32)]
        )
        def __call__(self, scores, lengths):
            return best_paths(scores, chains, lengths)

    tf.saved_model.save(Search(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for batch, frames in ((1, 9), (3, 30), (2, 1)):
        scores = rng.normal(size=(batch, frames, 4)).astype("float32")
        lengths = rng.integers(1, frames + 1, batch).astype("int32")
        classes, _, totals = loaded(scores, lengths)
        expected = find_paths([s[:n] for s, n in zip(scores, lengths, strict=True)], chains)
        for row, path in enumerate(expected):
            np.testing.assert_array_equal(classes[row, : lengths[row]], path.classes)
            assert float(totals[row]) == pytest.approx(path.score, abs=1e-4)


def test_no_way_at_all():
    nowhere = np.full((2, 2), -np.inf)
    chains = Chains.of_durations([2, 2], nowhere, nowhere[0])
    (path,) = find_paths([np.zeros((4, 2))], chains)
    assert path.score == -np.inf
    assert float(best_paths(np.zeros((1, 4, 2)), chains)[2][0]) == np.float32(IMPOSSIBLE)


TWO = Chains.of_durations([1, 1], np.zeros((2, 2)), np.zeros(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_paths([np.zeros((0, 2))], TWO), r"T from 1 on; received \(0, 2\)"),
        (lambda: find_paths([np.zeros((4, 2)), np.zeros((4, 3))], TWO), "for recording 1"),
        (
            lambda: find_paths([np.array([[0, 1], [np.nan, 0]])], TWO),
            "recording 0 are not numbers at frame 1",
        ),
        (
            lambda: Chains.of_durations([1, 0], np.zeros((2, 2)), np.zeros(2)),
            "whole numbers from 1 on",
        ),
        (
            lambda: Chains.of_durations([1, 2], np.zeros((3, 2)), np.zeros(2)),
            r"jumps \(classes, classes\).*received.*jumps \(3, 2\)",
        ),
    ],
)
def test_wrong_arrays_are_told(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_what_is_read_by_slices_serves_as_an_array():
    class Slices:
        shape = (700, 5)

        def __getitem__(self, part):
            assert part.stop - part.start <= CHUNKS[-1]
            return array[part]

    rng = np.random.default_rng(3)
    array = rng.normal(size=Slices.shape).astype("float32")
    chains = Chains.of_durations([1, 2, 3, 1, 2], rng.normal(size=(5, 5)), np.zeros(5))
    (expected,), (found,) = find_paths([array], chains), find_paths([Slices()], chains)
    np.testing.assert_array_equal(found.classes, expected.classes)
    assert found.score == expected.score
    array[600, 2] = np.nan
    with pytest.raises(UsageError, match="recording 0 are not numbers at frame 600"):
        find_paths([Slices()], chains)
