"""Best ways through batches of recordings, in a graph and in chunks, and what they score."""

import numpy as np
from keras import ops

from tests.helpers.decoding import best_by_segments, phone_loop
from zoo.decoding.isolated import recognise
from zoo.decoding.viterbi import CHUNKS, Chains, best_paths, find_paths
from zoo.ops.compilation import compiled


def searching(chains):
    return compiled(lambda scores, lengths: best_paths(scores, chains, lengths))


def results():
    """Name -> array."""
    rng = np.random.default_rng(0)
    found = {}
    for name, durations in (("free", [1] * 5), ("least", [3, 1, 2, 4, 3])):
        jumps, initial = phone_loop(rng, 5)
        chains = Chains.of_durations(durations, jumps, initial)
        lengths = np.array([2, 17, 30], "int32")
        scores = rng.normal(size=(3, 30, 5)).astype("float32")
        classes, states, totals = map(
            ops.convert_to_numpy,
            searching(chains)(ops.convert_to_tensor(scores), ops.convert_to_tensor(lengths)),
        )
        found[f"{name} totals"] = totals
        for row, length in enumerate(lengths):
            found[f"{name} classes {row}"] = classes[row, :length]
            found[f"{name} states {row}"] = states[row, :length]
            # Each backend for itself too: the comparison would not show an error of all.
            problem = (scores[row, :length], durations, jumps, initial)
            np.testing.assert_array_equal(classes[row, :length], best_by_segments(*problem)[0])
        long = rng.normal(size=(CHUNKS[0] + CHUNKS[1] + 9, 5))
        for number, path in enumerate(find_paths([long, long[:20]], chains)):
            found[f"{name} found {number}"] = path.classes
            found[f"{name} score {number}"] = np.array(path.score / len(path.classes))
    decision = recognise(rng.dirichlet(np.ones(6), 25), states=3)
    found["digit path"], found["digit scores"] = decision.path, decision.scores
    return found
