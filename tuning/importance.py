"""Importance of hyperparameters in a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEAST = 6
"""Least number of completed trials for estimating importance."""

TREES = 100
REPEATS = 20


def importances(
    trials: Sequence[Mapping[str, Any]], scores: Sequence[float], seed: int = 0
) -> dict[str, float]:
    """Share of the objective's variation that each hyperparameter explains, largest first.

    A random forest is fitted to the trials; a hyperparameter's importance is how much worse its
    predictions become when that column is shuffled (permutation importance), as a share of all.

    Args:
        trials: values of the completed trials; a missing one counts as one of its own.
        scores: their objective.
        seed: random seed of the forest and the shuffling.

    Returns:
        Name -> share, of those that vary; empty with too few trials, or where all score alike.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    if len(trials) < LEAST or np.ptp(scores) == 0:
        return {}
    columns = {}
    for name in sorted({name for values in trials for name in values}):
        column = [values.get(name) for values in trials]
        if len({repr(v) for v in column}) > 1:
            columns[name] = ranks(column)
    if not columns:
        return {}
    x = np.stack(list(columns.values()), axis=1)
    forest = RandomForestRegressor(TREES, random_state=seed, min_samples_leaf=2).fit(x, scores)
    found = permutation_importance(forest, x, scores, n_repeats=REPEATS, random_state=seed)
    worse = np.maximum(found.importances_mean, 0)
    if not worse.sum():
        return {}
    shares = dict(zip(columns, (worse / worse.sum()).tolist(), strict=True))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def ranks(values: Sequence[Any]) -> list[float]:
    """Numbers as they are, anything else by its place in alphabetical order; None: -1."""
    if all(isinstance(v, (int, float)) for v in values):
        return [float(v) for v in values]
    places = {v: float(i) for i, v in enumerate(sorted({str(v) for v in values if v is not None}))}
    return [-1.0 if v is None else places[str(v)] for v in values]
