"""Means over repeated runs, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half the width of its 95 % interval by Student's t; None for a single value.

    Args:
        values: one for each seed or fold, at least one; taken as independent and normal.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0])
        (2.0, 2.484137...)
    """
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return mean, None
    from scipy.stats import sem, t

    return mean, float(t.ppf(0.975, count - 1) * sem(values))
