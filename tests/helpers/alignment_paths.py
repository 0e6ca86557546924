"""All ways of a text through frames, by writing each down."""

import itertools

import numpy as np


def ways_of(words, pause):
    """The sets of classes of every sequence of states."""
    silence = [[], [pause]] if pause else [[]]
    choices = [silence]
    for variants in words:
        spoken = [
            list(itertools.chain.from_iterable(states))
            for phones in variants
            for states in itertools.product(*(list(_kept(phone.states)) for phone in phones))
        ]
        choices += [spoken, silence]
    for parts in itertools.product(*choices):
        yield [state for part in parts for state in part]


def _kept(states):
    """A phone's states, without none or some of those that may be left out."""
    for kept in itertools.product(*([True, False] if s.optional else [True] for s in states)):
        yield [s.classes for s, keep in zip(states, kept, strict=True) if keep]


def best_by_trying(log_posteriors, offsets, words, pause, least):
    """The best total: all ways, all lengths of their states; minus infinity if there is none."""
    frames, best = len(log_posteriors), -np.inf
    posteriors, priors = np.exp(log_posteriors), np.exp(offsets)
    for states in ways_of(words, pause):
        free = frames - least * len(states)
        if free < 0 or not states:
            continue
        gains = [np.log(posteriors[:, list(c)].sum(axis=1) / priors[list(c)].sum()) for c in states]
        for cuts in itertools.combinations(range(free + len(states) - 1), len(states) - 1):
            edges = [-1, *cuts, free + len(states) - 1]
            lengths = [least + b - a - 1 for a, b in itertools.pairwise(edges)]
            ends = list(itertools.accumulate(lengths))
            total = sum(g[e - n : e].sum() for g, e, n in zip(gains, ends, lengths, strict=True))
            best = max(best, total)
    return best
