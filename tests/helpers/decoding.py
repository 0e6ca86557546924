"""What a search over phones should find, written as it is defined, and by trying everything."""

import itertools

import numpy as np


def path_score(path, scores, durations, jumps, initial):
    """Score of one class a frame; minus infinity where a phone is too short.

    The last phone of a recording that is shorter than the longest minimum may be cut off.
    """
    runs = [(label, len(list(group))) for label, group in itertools.groupby(path)]
    short = len(path) < max(durations)
    total = initial[path[0]] + sum(scores[t, c] for t, c in enumerate(path))
    for number, (label, length) in enumerate(runs):
        if length < durations[label] and not (short and number == len(runs) - 1):
            return -np.inf
        if number:
            total += jumps[runs[number - 1][0], label]
    return total


def best_by_trying(scores, durations, jumps, initial):
    """The best score over all sequences of classes."""
    paths = itertools.product(range(scores.shape[1]), repeat=len(scores))
    return max(path_score(p, scores, durations, jumps, initial) for p in paths)


def best_by_segments(scores, durations, jumps, initial):
    """Path and score by a loop over where each phone ends, which it is, and where it began."""
    frames, classes = scores.shape
    sums = np.vstack([np.zeros(classes), np.cumsum(scores, axis=0)])
    best = np.full((frames + 1, classes), -np.inf)
    before = {}
    for end in range(1, frames + 1):
        for label in range(classes):
            for start in range(end):
                cut = end == frames and frames < max(durations)
                if end - start < durations[label] and not cut:
                    continue
                if start == 0:
                    came, so_far = None, initial[label]
                else:
                    reached = best[start] + jumps[:, label]
                    came = int(reached.argmax())
                    so_far = reached[came]
                total = so_far + sums[end, label] - sums[start, label]
                if total > best[end, label]:
                    best[end, label], before[end, label] = total, (start, came)
    end, label = frames, int(best[frames].argmax())
    score, path = best[frames, label], []
    while label is not None and np.isfinite(score):
        start, came = before[end, label]
        path = [label] * (end - start) + path
        end, label = start, came
    return np.array(path), score


def phone_loop(rng, classes):
    """Jumps (C, C) of which some are forbidden, no class after itself, and beginnings (C,)."""
    jumps = np.log(rng.dirichlet(np.ones(classes), classes) + 1e-3)
    jumps[rng.random(jumps.shape) < 0.15] = -np.inf
    np.fill_diagonal(jumps, -np.inf)
    return jumps, np.log(rng.dirichlet(np.ones(classes)))
