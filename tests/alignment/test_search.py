"""The way of a text through frames, against writing down every way there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.alignment_paths import best_by_trying
from zoo.alignment.graph import Phone, graph_of
from zoo.alignment.phonesets import State
from zoo.alignment.search import search, set_scores

CLASSES = 4
PAUSE = (0,)


def phones(draw):
    """A phone of one state, or a stop with a closure that may be left out."""
    classes = draw(st.sets(st.integers(1, CLASSES - 1), min_size=1, max_size=2))
    states = (State(tuple(sorted(classes))),)
    if draw(st.booleans()):
        states = (State((draw(st.integers(0, CLASSES - 1)),), optional=True), *states)
    return Phone("x", states)


@st.composite
def texts(draw):
    return [
        [
            [phones(draw) for _ in range(draw(st.integers(1, 2)))]
            for _ in range(draw(st.integers(1, 2)))
        ]
        for _ in range(draw(st.integers(1, 2)))
    ]


def score_of(states, graph, scores):
    return scores[np.arange(len(states)), graph.heard[states]].sum()


def random_posteriors(rng, frames):
    x = rng.normal(0, 2, (frames, CLASSES))
    return x - np.logaddexp.reduce(x, axis=1, keepdims=True)


@given(texts(), st.integers(1, 7), st.integers(1, 2), st.booleans(), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_no_way_is_better(words, frames, least, silence, seed):
    rng = np.random.default_rng(seed)
    posteriors = random_posteriors(rng, frames)
    offsets = np.log(rng.dirichlet(np.ones(CLASSES)))
    pause = PAUSE if silence else ()
    graph = graph_of(words, [State(pause)] if silence else [], least)
    best = best_by_trying(posteriors, offsets, words, pause, least)
    scores = set_scores(posteriors, graph, offsets)
    states = search(scores, graph)
    assert (graph.shortest <= frames) == (best > -np.inf)
    if best == -np.inf:
        assert states is None
    else:
        assert score_of(states, graph, scores) == pytest.approx(best, abs=1e-9)
        assert_possible(states, graph)


def assert_possible(states, graph):
    """Each state follows from one that leads to it, the first from the start; the last may end."""
    before = [graph.start, *states[:-1]]
    assert all(b in graph.sources[:, s] for b, s in zip(before, states, strict=True))
    assert states[-1] in graph.ends


def test_units_are_the_phones_and_silences_that_are_heard():
    a, b, c = (Phone(name, (State((n,)),)) for n, name in enumerate("abc", 1))
    heard = [0, 0, 1, 1, 2, 2, 0, 0, 3, 3, 1, 1]
    posteriors = np.full((len(heard), CLASSES), -5.0)
    posteriors[np.arange(len(heard)), heard] = 0.0
    graph = graph_of([[[b, a], [a, b]], [[c, a], [c]]], [State(PAUSE)], 1)
    states = search(set_scores(posteriors, graph, np.zeros(CLASSES)), graph)
    units = [graph.units[u] for u, _ in itertools.groupby(graph.unit[states])]
    assert [tuple(u) for u in units] == [
        ("sil", -1, -1),
        ("a", 0, 1),
        ("b", 0, 1),
        ("sil", -1, -1),
        ("c", 1, 0),
        ("a", 1, 0),
    ]


def test_a_text_of_an_hour_is_found_with_few_states_at_a_time():
    """36,000 frames of 6000 phones, whose graph has 12,000 states: followed are the near ones."""
    rng = np.random.default_rng(0)
    # No class twice in a row.
    spoken = np.cumsum(rng.integers(1, CLASSES, 6000)) % CLASSES
    lengths = rng.integers(2, 11, len(spoken))
    labels = np.repeat(spoken, lengths)
    posteriors = np.full((len(labels), CLASSES), np.log(0.01))
    posteriors[np.arange(len(labels)), labels] = np.log(0.97)
    words = [[[Phone("x", (State((int(c),)),))]] for c in spoken]
    graph = graph_of(words, [], 2)
    states = search(set_scores(posteriors, graph, np.zeros(CLASSES)), graph)
    assert np.array_equal(np.flatnonzero(np.diff(graph.unit[states])) + 1, np.cumsum(lengths)[:-1])


def test_what_lies_beyond_the_beam_is_not_followed_and_found_without_one():
    posteriors = np.full((40, CLASSES), -20.0)
    posteriors[:20, 1] = posteriors[20:, 2] = 0.0
    words = [[[Phone("b", (State((2,)),)), Phone("a", (State((1,)),))]]]
    graph = graph_of(words, [], 1)
    scores = set_scores(posteriors, graph, np.zeros(CLASSES))
    exact = search(scores, graph, np.inf)
    assert_possible(exact, graph)
    assert np.array_equal(search(scores, graph), exact)


def test_nothing_is_found_where_the_text_is_too_long():
    graph = graph_of([[[Phone("a", (State((1,)),))] * 3]], [], 2)
    assert graph.shortest == 6
    assert search(np.zeros((5, 1)), graph) is None
    assert search(np.zeros((6, 1)), graph).tolist() == [0, 1, 2, 3, 4, 5]
