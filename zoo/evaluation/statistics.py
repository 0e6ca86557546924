"""Means over repeated runs, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Two-sided 95 % quantiles of Student's distribution with 1 to 30 degrees of freedom.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


def mean_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half the width of its 95 % interval by Student's t; None for a single value.

    Args:
        values: one for each seed or fold, at least one; taken as independent and normal.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0])
        (2.0, 2.484338...)
    """
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return mean, None
    variance = math.fsum((v - mean) ** 2 for v in values) / (count - 1)
    # Past 30 degrees of freedom the 30th quantile errs on the wide side.
    quantile = _T95[min(count - 1, len(_T95)) - 1]
    return mean, quantile * math.sqrt(variance / count)
